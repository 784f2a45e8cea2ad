import OCI
import RegistryClient
import TestSupport
import Testing

@Suite struct ScopeTests {
    private let issuer = TokenIssuer()
    private let content = RegistryContent()

    private func scopes(_ operation: (RegistryClient, ScriptedRegistry) async throws -> Void) async throws -> [[String]]
    {
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        try await withClient { try await operation($0, registry) }
        return issuer.issued.map { $0.scopes.sorted() }
    }

    @Test func `reading asks for pull`() async throws {
        let image = try ImageBuilder().index(of: [])
        try content.add(image, repository: "a/b", tag: "1")
        let asked = try await scopes { client, registry in
            let repository = try registry.repository("a/b")
            _ = try await client.tags(of: repository)
            _ = try await client.fetchManifest(.digest(image.digest), in: repository)
            _ = try await client.headManifest(.digest(image.digest), in: repository)
        }
        #expect(asked == [["repository:a/b:pull"]])
    }

    @Test func `writing asks for pull and push`() async throws {
        let image = try ImageBuilder().index(of: [])
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        let blob = try TestBlob.random(1000)
        let file = try OpenBlob(blob)
        let asked = try await scopes { client, registry in
            let repository = try registry.repository("a/b")
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            try await client.putManifest(document, as: .tag(.latest), in: repository)
        }
        #expect(asked == [["repository:a/b:pull,push"]])
    }

    /// A push looks first: the token for looking is the one for writing.
    @Test func `looking for a push asks for pull and push at once`() async throws {
        let image = try ImageBuilder().index(of: [])
        try content.add(image, repository: "a/b", tag: "1")
        let blob = try TestBlob.random(1000)
        try content.add(blob, repository: "a/b")
        let file = try OpenBlob(blob)
        let asked = try await scopes { client, registry in
            let repository = try registry.repository("a/b")
            _ = try await client.hasBlob(blob.descriptor, in: repository, for: .push)
            _ = try await client.headManifest(.tag(Tag(parsing: "1")), in: repository, for: .push)
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(asked == [["repository:a/b:pull,push"]])
    }

    /// A removal looks first: the token for looking is the one for deleting.
    @Test func `deleting asks for pull and delete`() async throws {
        let image = try ImageBuilder().index(of: [])
        try content.add(image, repository: "a/b", tag: "1")
        let asked = try await scopes { client, registry in
            let repository = try registry.repository("a/b")
            let tag = ManifestTarget.tag(try Tag(parsing: "1"))
            _ = try await client.headManifest(tag, in: repository, for: .delete, types: .any)
            let outcome = try await client.deleteManifest(.digest(image.digest), in: repository)
            #expect(outcome == .unsupported)
        }
        #expect(asked == [["repository:a/b:pull,delete"]])
    }

    @Test func `a mount asks for pull of its source besides`() async throws {
        let blob = try TestBlob.random(1000)
        try content.add(blob, repository: "from/here")
        let asked = try await scopes { client, registry in
            let outcome = try await client.mountBlob(
                blob.digest,
                from: try registry.repository("from/here"),
                to: try registry.repository("to")
            )
            #expect(outcome == .mounted)
        }
        #expect(asked == [["repository:from/here:pull", "repository:to:pull,push"]])
    }

    @Test func `the catalog has a scope of its own`() async throws {
        let asked = try await scopes { client, registry in
            _ = try await client.repositories(of: registry.address)
        }
        #expect(asked == [["registry:catalog:*"]])
    }

    /// A registry may want more than the specification says; what it asks for in its challenge is asked for too.
    @Test func `what the challenge asks for is asked for too`() async throws {
        let registry = try ScriptedRegistry { [issuer] request in
            if request.path == "/token" { return issuer.token(request) }
            if issuer.issued.contains(where: { "Bearer \($0.text)" == request.header("Authorization") }) {
                return .text(#"{"tags":[]}"#)
            }
            let realm = "http://\(request.header("Host") ?? "")/token"
            let value = "Bearer realm=\"\(realm)\",scope=\"repository:a:pull repository:base:pull\""
            return Answer(401, headers: [("WWW-Authenticate", value)])
        }
        let repository = try registry.repository("a")
        _ = try await withClient { try await $0.tags(of: repository) }
        #expect(issuer.issued.map(\.scopes) == [["repository:a:pull", "repository:base:pull"]])
    }
}
