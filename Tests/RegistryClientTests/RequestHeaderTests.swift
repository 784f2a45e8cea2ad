import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct RequestHeaderTests {
    @Test func `every request says who asks, and asks for the bytes as they are`() async throws {
        let content = RegistryContent()
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let (repository, other) = (try registry.repository(), try registry.repository("other"))
        let image = try ImageBuilder().index(of: [])
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        let blob = try TestBlob.random(1000)
        let file = try OpenBlob(blob)
        try await withClient { client in
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            _ = try await client.mountBlob(blob.digest, from: repository, to: other)
            _ = try await client.hasBlob(blob.descriptor, in: repository)
            try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in }
            try await client.putManifest(document, as: .tag(.latest), in: repository)
            _ = try await client.fetchManifest(.tag(.latest), in: repository)
            _ = try await client.headManifest(.tag(.latest), in: repository)
            _ = try await client.tags(of: repository)
            _ = try await client.repositories(of: registry.address)
            #expect(client.requestCount == registry.requests.count)
        }
        #expect(Set(registry.requests.map(\.method)) == ["GET", "HEAD", "POST", "PUT"])
        #expect(registry.requests.contains { $0.path == "/token" })
        let agent = /drayage\/[0-9.]+ \(linux; (amd64|arm64)\)/
        for request in registry.requests {
            #expect(request.header("User-Agent")?.wholeMatch(of: agent) != nil, "\(request.line)")
            #expect(request.headers.filter { $0.name.lowercased() == "accept-encoding" }.map(\.value) == ["identity"])
            #expect(request.header("Host") == registry.address)
            #expect(request.header("Cookie") == nil)
        }
    }

    @Test func `requests share connections`() async throws {
        let blob = try TestBlob.random(1000)
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(blob, repository: "app")
        let repository = try registry.repository()
        try await withClient { client in
            for _ in 0..<20 { _ = try await client.hasBlob(blob.descriptor, in: repository) }
        }
        // An answer can be there a moment before its connection is free, and then the next request makes another.
        let requests = try await registry.finish()
        #expect(requests.count == 20)
        #expect(Set(requests.map(\.remote)).count <= 4)
    }
}
