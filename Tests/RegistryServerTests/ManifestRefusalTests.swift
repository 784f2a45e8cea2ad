import OCI
import TestSupport
import Testing

/// Manifests that are refused for their digest, their size or what they need; and those that are not.
@Suite struct ManifestRefusalTests {
    private static let limit = 4 << 20

    /// A manifest of exactly so many bytes, and no blobs but its config.
    private static func manifest(byteCount: Int, config: TestBlob) throws -> TestDocument {
        let head = #"""
            {"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":{"mediaType":"\#(MediaType.ociConfig)",\#
            "digest":"\#(config.digest)","size":\#(config.descriptor.size)},"layers":[],"annotations":{"filler":"
            """#
        let filler = String(repeating: "x", count: byteCount - head.utf8.count - 3)
        return try TestDocument(bytes: Array((head + filler + "\"}}").utf8), mediaType: .ociManifest)
    }

    private static func config() throws -> TestBlob { try TestBlob(bytes: Array("{}".utf8), mediaType: .ociConfig) }

    @Test(arguments: [false, true])
    func `four mebibytes are taken and one byte more is not`(isChunked: Bool) async throws {
        let framing: HTTPRequest.Framing = isChunked ? .chunked(of: 1 << 20) : .length
        let config = try Self.config()
        let largest = try Self.manifest(byteCount: Self.limit, config: config)
        let larger = try Self.manifest(byteCount: Self.limit + 1, config: config)
        #expect(largest.bytes.count == Self.limit)
        try await withServer { server in
            try await server.push(config.bytes)
            let refused = try await server.ask("PUT", "/v2/app/manifests/big", body: larger.bytes, framing: framing)
            expect(refused, 413, "SIZE_INVALID")
            #expect(server.storage.tags(repository: "app").isEmpty)
            let taken = try await server.ask("PUT", "/v2/app/manifests/big", body: largest.bytes, framing: framing)
            #expect(taken.status == 201)
            let pulled = try await server.ask("GET", "/v2/app/manifests/big")
            expectEqual(pulled.body, largest.bytes)
        }
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `other bytes than the digest in the path says are refused`(algorithm: Digest.Algorithm) async throws {
        var builder = ImageBuilder(algorithm: algorithm)
        let image = try builder.image()
        try await withServer { server in
            for blob in image.blobs { try await server.push(blob.bytes, algorithm: algorithm) }
            let path = "/v2/app/manifests/\(image.digest)"
            let answer = try await server.ask("PUT", path, body: image.document.bytes + Array("  ".utf8))
            expect(answer, 400, "DIGEST_INVALID")
            #expect(try await server.ask("HEAD", path).status == 404)
            #expect(try server.storage.revisions(repository: "app").isEmpty)
            #expect(try await server.ask("PUT", path, body: image.document.bytes).status == 201)
        }
    }

    @Test(arguments: [
        ("sha256:baddigeststring", "DIGEST_INVALID"), ("sha256:" + String(repeating: "A", count: 64), "DIGEST_INVALID"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "DIGEST_INVALID"), (":", "DIGEST_INVALID"),
        ("", "MANIFEST_INVALID"), ("-tag", "MANIFEST_INVALID"), (".tag", "MANIFEST_INVALID"),
        ("a%20b", "MANIFEST_INVALID"), ("..", "MANIFEST_INVALID"), ("a%2fb", "MANIFEST_INVALID"),
        ("..%2f..%2fx", "MANIFEST_INVALID"), ("tag%00", "MANIFEST_INVALID"), ("tag%0a", "MANIFEST_INVALID"),
        (String(repeating: "t", count: 129), "MANIFEST_INVALID"), ("t%C3%A4g", "MANIFEST_INVALID"),
    ])
    func `what is neither tag nor digest is refused`(reference: String, code: String) async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            for blob in image.blobs { try await server.push(blob.bytes) }
            let files = try server.storage.blobs()
            for method in ["GET", "PUT", "DELETE"] {
                let body = method == "PUT" ? image.document.bytes : nil
                let answer = try await server.ask(method, "/v2/app/manifests/\(reference)", body: body)
                expect(answer, 400, code, "\(method) \(reference)")
            }
            #expect(try server.storage.blobs() == files)
        }
    }

    @Test func `a tag of 128 characters is one`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            for tag in [String(repeating: "T", count: 128), "_", "0", "a..b--c__d.-"] {
                try await server.push(image, tag: tag)
                #expect(try await server.ask("GET", "/v2/app/manifests/\(tag)").body == image.document.bytes)
            }
        }
    }

    @Test func `a manifest whose blobs are missing is refused with their digests`() async throws {
        var builder = ImageBuilder()
        let layers = try (0..<12).map { _ in try builder.layer(byteCount: 100) }
        let image = try builder.image(layers: layers)
        try await withServer { server in
            // Another repository's are not this one's.
            try await server.push(image, to: "other", tag: "latest")
            let answer = try await server.put(image.document, as: "latest")
            expect(answer, 404, "MANIFEST_BLOB_UNKNOWN")
            let message = try #require(answer.errorMessage)
            #expect(message.contains(" and 5 more"))
            #expect(message.contains("\(try #require(image.config).digest)") && message.contains("\(layers[0].digest)"))
            for blob in image.blobs.dropLast() { try await server.push(blob.bytes) }
            for reference in ["latest", "\(image.digest)"] {
                let answer = try await server.put(image.document, as: reference)
                expect(answer, 404, "MANIFEST_BLOB_UNKNOWN")
                #expect(answer.errorMessage?.hasSuffix("missing: \(layers[11].digest)") == true)
                expect(try await server.ask("GET", "/v2/app/manifests/\(reference)"), 404, "MANIFEST_UNKNOWN")
            }
            try await server.push(layers[11].bytes)
            #expect(try await server.put(image.document, as: "latest").status == 201)
        }
    }

    @Test func `a layer that is not to be distributed may be missing`() async throws {
        for family in ImageBuilder.Family.allCases {
            var builder = ImageBuilder(family: family)
            let image = try builder.image(layers: [builder.foreignLayer(), builder.foreignLayer(), builder.layer()])
            try await withServer { server in
                try await server.push(image, tag: "latest")
                #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
                expect(try await server.ask("GET", "/v2/app/blobs/\(image.layers[0].digest)"), 404, "BLOB_UNKNOWN")
            }
        }
    }

    /// Spec: image "Image Index": a registry may hold some of the children, or none.
    @Test func `an index may be sparse`() async throws {
        var builder = ImageBuilder()
        let index = try builder.multiPlatform()
        try await withServer { server in
            #expect(try await server.put(index.document, as: "latest").status == 201)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == index.document.bytes)
            let child = try #require(index.children.first)
            expect(try await server.ask("GET", "/v2/app/manifests/\(child.digest)"), 404, "MANIFEST_UNKNOWN")
            try await server.push(child)
            #expect(try await server.ask("GET", "/v2/app/manifests/\(child.digest)").status == 200)
        }
    }
}
