import OCI
import TestSupport
import Testing

/// Spec: distribution "Pulling manifests", "Pushing Manifests".
@Suite struct ManifestTests {
    private func expectGiven(_ document: TestDocument, at reference: String, _ server: TestServer) async throws {
        let connection = try server.connect()
        for method in ["HEAD", "GET"] {
            // As clients ask: a line for each type.
            let accepted = [MediaType.ociIndex, .ociManifest].map { (name: "Accept", value: $0.rawValue) }
            let request = HTTPRequest(method, "/v2/app/manifests/\(reference)", headers: accepted)
            let answer = try await connection.ask(request)
            #expect(answer.status == 200, "\(reference)")
            #expect(answer.headers("Content-Type") == [document.mediaType.rawValue])
            #expect(answer.headers("Content-Length") == [String(document.bytes.count)])
            #expect(answer.headers("ETag").count == 1)
            #expect(answer.body == (method == "GET" ? document.bytes : []))
            #expect(answer.headers("Docker-Content-Digest") == ["\(document.digest)"])
        }
    }

    /// What an image can be, in both forms and by both algorithms.
    @Test(arguments: ImageBuilder.Family.allCases, Digest.Algorithm.allCases)
    func `images and indexes go in and come out`(family: ImageBuilder.Family, algorithm: Digest.Algorithm)
        async throws
    {
        var builder = ImageBuilder(family: family, algorithm: algorithm)
        let images = [
            try builder.image(), try builder.multiPlatform(attested: true), try builder.nestedIndex(levels: 2),
            try builder.index(of: []), try builder.image(layers: []), try builder.artifact(),
            try builder.image(layers: [builder.opaqueLayer(byteCount: 0), builder.foreignLayer()]),
        ]
        try await withServer { server in
            for image in images {
                try await server.push(image)
                for document in image.documents {
                    try await expectGiven(document, at: document.digest.description, server)
                    #expect(try server.storage.bytes(document.digest) == document.bytes)
                }
            }
        }
    }

    @Test func `a tag points at what was put under it last`() async throws {
        var builder = ImageBuilder()
        let images = [try builder.image(), try builder.image(), try builder.multiPlatform()]
        try await withServer { server in
            for image in images + [images[0], images[0]] {
                try await server.push(image)
                let answer = try await server.put(image.document, as: "v1.0_x-Y")
                #expect(answer.status == 201)
                #expect(answer.headers("Location") == ["/v2/app/manifests/\(image.digest)"])
                #expect(answer.headers("Docker-Content-Digest") == ["\(image.digest)"])
                #expect(answer.headers("OCI-Tag").isEmpty && answer.headers("OCI-Subject").isEmpty)
                try await expectGiven(image.document, at: "v1.0_x-Y", server)
                let location = try #require(answer.header("Location"))
                #expect(try await server.ask("GET", location).body == image.document.bytes)
            }
            // What no tag points at any more is still there.
            for image in images { try await expectGiven(image.document, at: image.digest.description, server) }
        }
    }

    /// The suite of the specification sends every manifest so.
    @Test func `a manifest is taken in chunked transfer coding`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            for blob in image.blobs { try await server.push(blob.bytes) }
            let answer = try await server.ask(
                "PUT",
                "/v2/app/manifests/latest",
                headers: [("Content-Type", image.top.mediaType.rawValue)],
                body: image.document.bytes,
                framing: .chunked(of: 100)
            )
            #expect(answer.status == 201)
            try await expectGiven(image.document, at: "latest", server)
        }
    }

    @Test func `who has the manifest is told so`() async throws {
        var builder = ImageBuilder()
        let (image, other) = (try builder.image(), try builder.image())
        try await withServer { server in
            try await server.push(image, tag: "latest")
            for reference in ["latest", image.digest.description] {
                for (digest, status) in [(image.digest, 304), (other.digest, 200)] {
                    let answer = try await server.ask(
                        "GET",
                        "/v2/app/manifests/\(reference)",
                        headers: [("If-None-Match", "\"\(digest)\"")]
                    )
                    #expect(answer.status == status)
                    #expect(answer.body == (status == 200 ? image.document.bytes : []))
                }
            }
        }
    }

    @Test func `what is not there is not found`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image, to: "other", tag: "latest")
            try await server.push([1], to: "app")
            for repository in ["app", "nowhere"] {
                for reference in ["latest", "\(image.digest)", "\(try Digest.of([1]))"] {
                    let path = "/v2/\(repository)/manifests/\(reference)"
                    expect(try await server.ask("GET", path), 404, "MANIFEST_UNKNOWN", "\(path)")
                    #expect(try await server.ask("HEAD", path).status == 404)
                }
            }
            // A layer is no manifest, and a manifest is no blob.
            let layer = try #require(image.layers.first).digest
            expect(try await server.ask("GET", "/v2/other/manifests/\(layer)"), 404, "MANIFEST_UNKNOWN")
            expect(try await server.ask("GET", "/v2/other/blobs/\(image.digest)"), 404, "BLOB_UNKNOWN")
        }
    }

    @Test func `sha512 in the address is sha512 in the answers`() async throws {
        var builder = ImageBuilder(algorithm: .sha512)
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image)
            let answer = try await server.put(image.document, as: "\(image.digest)")
            #expect(answer.headers("Docker-Content-Digest") == ["\(image.digest)"])
            #expect(answer.headers("Location") == ["/v2/app/manifests/\(image.digest)"])
            // Under a tag it is known by the digest of all others.
            let tagged = try await server.put(image.document, as: "latest")
            let short = try Digest.of(image.document.bytes)
            #expect(tagged.headers("Docker-Content-Digest") == ["\(short)"])
            #expect(
                try await server.ask("HEAD", "/v2/app/manifests/latest").header("Docker-Content-Digest") == "\(short)"
            )
        }
    }

    // MARK: - Tags as parameters

    @Test(arguments: Digest.Algorithm.allCases)
    func `a manifest is put by its digest with tags`(algorithm: Digest.Algorithm) async throws {
        var builder = ImageBuilder(algorithm: algorithm)
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image)
            let answer = try await server.put(image.document, as: "\(image.digest)?tag=one&tag=two.2&tag=three")
            #expect(answer.status == 201)
            #expect(answer.headers("OCI-Tag") == ["one", "two.2", "three"])
            #expect(answer.headers("Docker-Content-Digest") == ["\(image.digest)"])
            for tag in ["one", "two.2", "three"] { try await expectGiven(image.document, at: tag, server) }
        }
    }

    @Test func `a tag that is none, or too many tags, put nothing`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            for blob in image.blobs { try await server.push(blob.bytes) }
            for tags in ["tag=ok&tag=not%20ok", "tag=", "tag=\(image.digest)", "tag=a/b", "tag=../x"] {
                let answer = try await server.put(image.document, as: "\(image.digest)?\(tags)")
                expect(answer, 400, "MANIFEST_INVALID", "\(tags)")
            }
            let many = (0...100).map { "tag=t\($0)" }.joined(separator: "&")
            expect(try await server.put(image.document, as: "\(image.digest)?\(many)"), 414, "MANIFEST_INVALID")
            #expect(server.storage.tags(repository: "app").isEmpty)
            #expect(try server.storage.revisions(repository: "app").isEmpty)
            let most = (0..<100).map { "tag=t\($0)" }.joined(separator: "&")
            #expect(try await server.put(image.document, as: "\(image.digest)?\(most)").headers("OCI-Tag").count == 100)
            #expect(server.storage.tags(repository: "app").count == 100)
        }
    }
}
