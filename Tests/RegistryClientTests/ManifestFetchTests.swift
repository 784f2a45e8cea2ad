import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@Suite struct ManifestFetchTests {
    @Test(arguments: ImageBuilder.Family.allCases, [Digest.Algorithm.sha256, .sha512])
    func `a manifest and an index are fetched by tag and by digest, byte for byte`(
        family: ImageBuilder.Family,
        algorithm: Digest.Algorithm
    ) async throws {
        var builder = ImageBuilder(family: family, algorithm: algorithm)
        let image = try builder.multiPlatform()
        let registry = try await EmbeddedRegistry()
        try registry.add(image, "app")
        let repository = try registry.repository()
        try await withClient { client in
            let index = try await client.fetchManifest(.tag(Tag(parsing: "1")), in: repository)
            #expect(index.bytes == image.document.bytes)
            #expect(index.descriptor == image.top)
            for (child, expected) in zip(image.children, index.children) {
                let manifest = try await client.fetchManifest(.digest(child.digest), in: repository, expected: expected)
                #expect(manifest.bytes == child.document.bytes)
                #expect(manifest.descriptor == child.top)
                #expect(manifest.blobs.map(\.digest) == child.blobs.map(\.digest))
            }
            #expect(try await client.headManifest(.tag(Tag(parsing: "1")), in: repository) == image.digest)
            #expect(try await client.headManifest(.digest(image.digest), in: repository) == image.digest)
        }
        let names = ["1"] + image.children.map(\.digest.description)
        let heads = ["1", image.digest.description]
        let lines = names.map { "GET /v2/app/manifests/\($0)" } + heads.map { "HEAD /v2/app/manifests/\($0)" }
        #expect(try await registry.finish().map(\.line).sorted() == lines.sorted())
    }

    @Test func `every form of manifest is asked for, and the type of the descriptor besides`() async throws {
        let content = RegistryContent()
        let image = try ImageBuilder().index(of: [])
        try content.add(image, repository: "app", tag: "1")
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        let other = Descriptor(
            mediaType: MediaType(rawValue: "application/vnd.example+json"),
            digest: image.digest,
            size: image.top.size
        )
        try await withClient { client in
            _ = try await client.fetchManifest(.tag(Tag(parsing: "1")), in: repository)
            _ = try await client.headManifest(.tag(Tag(parsing: "1")), in: repository)
            _ = try await client.fetchManifest(.digest(image.digest), in: repository, expected: image.top)
            _ = try await client.fetchManifest(.digest(image.digest), in: repository, expected: other)
        }
        let all = [
            "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ].joined(separator: ", ")
        #expect(
            registry.requests.map { $0.header("Accept") } == [all, all, all, all + ", application/vnd.example+json"]
        )
    }

    @Test func `a registry that states no digest is asked for the manifest itself`() async throws {
        let image = try ImageBuilder().index(of: [])
        let registry = try ScriptedRegistry { _ in
            Answer(headers: [("Content-Type", image.top.mediaType.rawValue)], body: image.document.bytes)
        }
        let repository = try registry.repository()
        let digest = try await withClient { try await $0.headManifest(.tag(.latest), in: repository) }
        #expect(digest == image.digest)
        #expect(registry.lines == ["HEAD /v2/app/manifests/latest", "GET /v2/app/manifests/latest"])
    }

    @Test func `what is not there has no digest`() async throws {
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        let digest = try await withClient { try await $0.headManifest(.tag(.latest), in: repository) }
        #expect(digest == nil)
    }

    /// A `Content-Type` and the `mediaType` of a parent, with the type that a manifest has which says nothing itself.
    @Test(arguments: [
        (MediaType.ociManifest.rawValue, nil, MediaType.ociManifest),
        ("application/vnd.oci.image.manifest.v1+json; charset=utf-8", nil, .ociManifest),
        (MediaType.dockerManifest.rawValue, nil, .dockerManifest),
        // A type that is said of everything says nothing; then the parent's word counts, then the content.
        ("application/json", MediaType.dockerManifest, .dockerManifest),
        ("text/plain", nil, .ociManifest),
        ("application/octet-stream", MediaType.ociManifest, .ociManifest),
    ])
    func `a manifest without a type has the type that is said of it`(
        contentType: String,
        parent: MediaType?,
        expected: MediaType
    ) async throws {
        var builder = ImageBuilder()
        let image = try builder.image(saysMediaType: false)
        let registry = try ScriptedRegistry { _ in
            .text(String(decoding: image.document.bytes, as: UTF8.self), type: contentType)
        }
        let repository = try registry.repository()
        let descriptor = parent.map { Descriptor(mediaType: $0, digest: image.digest, size: image.top.size) }
        let document = try await withClient {
            try await $0.fetchManifest(.digest(image.digest), in: repository, expected: descriptor)
        }
        #expect(document.descriptor.mediaType == expected)
        #expect(document.bytes == image.document.bytes)
    }

    @Test func `a reference means its digest, else its tag, else latest`() throws {
        let digest = try Digest.of(Array("x".utf8))
        func target(_ text: String) throws -> ManifestTarget { ManifestTarget(try Reference(parsing: text)) }
        #expect(try target("a:1@\(digest)") == .digest(digest))
        #expect(try target("a:1") == .tag(Tag(parsing: "1")))
        #expect(try target("a") == .tag(.latest))
        let repository = try Repository(registry: "r.example", path: "a")
        #expect(try target("a:1").name(in: repository) == "r.example/a:1")
        #expect(ManifestTarget.digest(digest).name(in: repository) == "r.example/a@\(digest)")
    }
}
