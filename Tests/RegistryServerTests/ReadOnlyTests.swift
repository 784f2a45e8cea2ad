import Foundation
import ImageLayout
import OCI
import RegistryServer
import TestSupport
import Testing

/// What is served without being changed: a directory, and bundles.
@Suite struct ReadOnlyTests {
    private static let writes = [
        ("POST", "/v2/app/blobs/uploads/"), ("POST", "/v2/app/blobs/uploads/?mount=%&from=other"),
        ("POST", "/v2/app/blobs/uploads/?digest=%"), ("PUT", "/v2/app/manifests/latest"),
        ("PUT", "/v2/app/manifests/%"), ("DELETE", "/v2/app/manifests/latest"), ("DELETE", "/v2/app/manifests/%"),
        ("DELETE", "/v2/app/blobs/%"), ("PATCH", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"),
        ("PUT", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000?digest=%"),
        ("DELETE", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"),
        ("GET", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"),
    ]

    private func expectRefusesWrites(_ server: TestServer, _ digest: Digest) async throws {
        for (method, path) in Self.writes {
            let target = path.replacing("%", with: "\(digest)")
            let body = ["PUT", "PATCH"].contains(method) ? Array("{}".utf8) : nil
            expect(try await server.ask(method, target, body: body), 405, "UNSUPPORTED", "\(method) \(target)")
        }
    }

    @Test func `a directory is read and not written to`() async throws {
        var builder = ImageBuilder()
        let image = try builder.multiPlatform()
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { try await $0.push(image, tag: "latest") }
        let before = try Command("find", [scratch.path, "-printf", "%p %s %T@ %C@\\n"]).check().outputText
        // Two may read at once.
        try await withServer(on: scratch.path, isReadOnly: true) { server in
            try await withServer(on: scratch.path, isReadOnly: true) { other in
                for server in [server, other] {
                    #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
                    #expect(try await server.ask("GET", "/healthz").status == 200)
                    for blob in image.blobs {
                        #expect(try await server.ask("GET", "/v2/app/blobs/\(blob.digest)").body == (try blob.bytes))
                    }
                    let tags = try await server.ask("GET", "/v2/app/tags/list")
                    #expect(tags.text == #"{"name":"app","tags":["latest"]}"#)
                    try await expectRefusesWrites(server, image.digest)
                }
            }
        }
        #expect(try Command("find", [scratch.path, "-printf", "%p %s %T@ %C@\\n"]).check().outputText == before)
    }

    @Test func `a directory has one writer`() async throws {
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { server in
            for isReadOnly in [false, true] {
                let error = await #expect(throws: (any Error).self) {
                    try await withServer(on: scratch.path, isReadOnly: isReadOnly) { _ in }
                }
                #expect("\(try #require(error))".contains("in use"))
            }
            try await expectAlive(server)
        }
        try await withServer(on: scratch.path) { try await expectAlive($0) }
    }

    // MARK: - Bundles

    private func withBundles(
        _ images: [(name: String, image: TestImage)],
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let bundle = try TestBundle()
        let reader = try bundle.write(images)
        let content = ServedContent.bundles(try BundleContent(readers: [reader], naming: withoutHost))
        var configuration = RegistryServer.Configuration()
        configuration.port = 0
        try await RegistryServer.withServer(of: content, configuration) { server in
            try await body(TestServer(server: server, root: "", log: RequestLog()))
        }
    }

    @Test func `a bundle is pulled from and not pushed to`() async throws {
        var builder = ImageBuilder()
        let large = try builder.opaqueLayer(byteCount: (2 << 20) + 5)
        let bytes = try large.bytes
        let image = try builder.multiPlatform(sharing: [large], attested: true)
        let signature = try builder.artifact(subject: image)
        try await withBundles([("quay.io/team/app:v1", image), ("quay.io/team/app:sig", signature)]) { server in
            for document in image.documents {
                let answer = try await server.ask("GET", "/v2/team/app/manifests/\(document.digest)")
                #expect(answer.status == 200 && answer.body == document.bytes)
                #expect(answer.headers("Content-Type") == [document.mediaType.rawValue])
            }
            for blob in image.blobs {
                try await expectEqual(server.ask("GET", "/v2/team/app/blobs/\(blob.digest)").body, blob.bytes)
            }
            // Parts are counted from where the blob begins, not the bundle.
            let part = try await server.ask(
                "GET",
                "/v2/team/app/blobs/\(large.digest)",
                headers: [("Range", "bytes=5-9")]
            )
            #expect(part.status == 206 && part.body == Array(bytes[5...9]))
            #expect(try await server.ask("GET", "/v2/team/app/manifests/v1").body == image.document.bytes)
            #expect(try await server.ask("GET", "/v2/_catalog").text == #"{"repositories":["team/app"]}"#)
            let tags = try await server.ask("GET", "/v2/team/app/tags/list")
            #expect(tags.text == #"{"name":"team/app","tags":["sig","v1"]}"#)
            let referrers = try await server.referrers(of: image.digest, in: "team/app")
            #expect(referrers.map(\.digest) == ["\(signature.digest)"])
            #expect(try await server.ask("GET", "/healthz").status == 200)
            try await expectRefusesWrites(server, image.digest)
        }
    }

    /// What containerd asks a mirror: the path is the image's own, and `ns` says whose.
    @Test func `a mirror is asked with the name of the registry`() async throws {
        var builder = ImageBuilder()
        let (hub, quay) = (try builder.image(), try builder.image())
        let images = [("docker.io/library/app:1", hub), ("quay.io/library/other:1", quay)]
        try await withBundles(images.map { (name: $0.0, image: $0.1) }) { server in
            let table: [(target: String, image: TestImage?)] = [
                ("/v2/library/app/manifests/1?ns=docker.io", hub), ("/v2/library/app/manifests/1", hub),
                ("/v2/library/app/manifests/1?ns=index.docker.io", hub),
                ("/v2/library/app/manifests/1?ns=DOCKER.IO", hub),
                ("/v2/library/app/manifests/1?ns=quay.io", nil), ("/v2/library/app/manifests/1?ns=ghcr.io", nil),
                ("/v2/library/other/manifests/1?ns=quay.io", quay), ("/v2/library/other/manifests/1?ns=", quay),
            ]
            for (target, image) in table {
                let answer = try await server.ask("GET", target)
                guard let image else {
                    expect(answer, 404, "MANIFEST_UNKNOWN", "\(target)")
                    continue
                }
                #expect(answer.status == 200 && answer.body == image.document.bytes, "\(target)")
                let layer = try #require(image.layers.first)
                let blob = target.replacing("manifests/1", with: "blobs/\(layer.digest)")
                #expect(try await server.ask("GET", blob).body == (try layer.bytes))
            }
            let tags = try await server.ask("GET", "/v2/library/app/tags/list?ns=quay.io")
            expect(tags, 404, "NAME_UNKNOWN")
            let catalog = try await server.ask("GET", "/v2/_catalog?ns=quay.io")
            #expect(catalog.text == #"{"repositories":["library/other"]}"#)
        }
    }

    /// The next page is asked of the same registry.
    @Test func `a link keeps the name of the registry`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        let names = ["docker.io/app:1", "docker.io/app:2", "quay.io/app:3", "quay.io/app:4"]
        try await withBundles(names.map { ($0.replacing("docker.io/", with: "docker.io/library/"), image) }) { server in
            for path in ["/v2/app/tags/list", "/v2/library/app/tags/list"] {
                let namespace = path.contains("library") ? "docker.io" : "quay.io"
                let first = try await server.ask("GET", "\(path)?ns=\(namespace)&n=1")
                let link = try #require(first.header("Link")?.wholeMatch(of: /<([^>]+)>; rel="next"/))
                #expect(link.1.contains("ns=\(namespace)"))
                let second = try await server.ask("GET", String(link.1))
                #expect(second.status == 200 && second.header("Link") == nil)
            }
        }
    }
}
