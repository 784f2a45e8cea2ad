import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct ManifestPutTests {
    @Test(arguments: ImageBuilder.Family.allCases)
    func `a manifest is put with its bytes and its type`(family: ImageBuilder.Family) async throws {
        let content = RegistryContent()
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        let image = try ImageBuilder(family: family).index(of: [])
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        try await withClient { client in
            try await client.putManifest(document, as: .digest(image.digest), in: repository)
            try await client.putManifest(document, as: .tag(Tag(parsing: "1")), in: repository)
        }
        #expect(content.manifest(image.digest, repository: "app") == image.document.bytes)
        #expect(content.putOrder(repository: "app") == ["\(image.digest)", "1"])
        for request in registry.requests {
            #expect(request.method == "PUT")
            #expect(request.header("Content-Type") == image.top.mediaType.rawValue)
            #expect(request.header("Content-Length") == "\(image.top.size)")
            #expect(request.body == image.document.bytes)
        }
    }

    @Test func `a registry that stored something else is found out`() async throws {
        let image = try ImageBuilder().index(of: [])
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        let other = try Digest.of(Array("other".utf8))
        let registry = try ScriptedRegistry { _ in Answer(201).with("Docker-Content-Digest", "\(other)") }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.putManifest(document, as: .tag(.latest), in: repository) }
        #expect(error.code == .digestMismatch(expected: image.digest, actual: other))
        #expect(error.operation == "putting the manifest")
        #expect(error.subject == "\(repository):latest")
        #expect(error.description.contains("\(repository):latest") && error.description.contains("\(other)"))
    }

    @Test func `a digest of another algorithm says nothing of the bytes`() async throws {
        let image = try ImageBuilder().index(of: [])
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        let other = try Digest.of(Array("other".utf8), algorithm: .sha512)
        let registry = try ScriptedRegistry { _ in Answer(201).with("Docker-Content-Digest", "\(other)") }
        let repository = try registry.repository()
        _ = try await withClient { try await $0.putManifest(document, as: .tag(.latest), in: repository) }
        #expect(registry.count("PUT") == 1)
    }

    @Test(arguments: RegistryKind.allCases)
    func `a refused manifest is an error with what the registry says of it`(kind: RegistryKind) async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        let registry = try await kind.start()
        let repository = try registry.repository()
        let document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        let error = try await clientFailure { try await $0.putManifest(document, as: .tag(.latest), in: repository) }
        let list = image.blobs.map(\.digest.description).sorted().joined(separator: ", ")
        switch kind {
        case .embedded:
            #expect(error.code == .notFound)
            #expect(error.status == 404)
            let message = "the manifest's blobs are not all in the repository; missing: \(list)"
            #expect(error.registryMessages == ["MANIFEST_BLOB_UNKNOWN: \(message)"])
        case .docker:
            #expect(error.code == .unexpectedStatus)
            #expect(error.status == 400)
            #expect(Set(error.registryMessages) == ["MANIFEST_BLOB_UNKNOWN: blob unknown to registry"])
        }
        #expect(error.subject == "\(repository):latest")
    }
}
