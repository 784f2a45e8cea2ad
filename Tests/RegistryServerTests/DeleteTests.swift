import OCI
import TestSupport
import Testing

/// Spec: distribution "Content Management".
@Suite struct DeleteTests {
    @Test func `a tag goes alone`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image, tag: "one")
            try await server.push(image, tag: "two")
            let answer = try await server.ask("DELETE", "/v2/app/manifests/one")
            #expect(answer.status == 202 && answer.body.isEmpty)
            expect(try await server.ask("GET", "/v2/app/manifests/one"), 404, "MANIFEST_UNKNOWN")
            expect(try await server.ask("DELETE", "/v2/app/manifests/one"), 404, "MANIFEST_UNKNOWN")
            #expect(try await server.ask("HEAD", "/v2/app/manifests/two").status == 200)
            #expect(try await server.ask("HEAD", "/v2/app/manifests/\(image.digest)").status == 200)
            #expect(server.storage.tags(repository: "app") == ["two"])
            // It can come back.
            try await server.push(image, tag: "one")
            #expect(try await server.ask("HEAD", "/v2/app/manifests/one").status == 200)
        }
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `a manifest goes with every tag that points at it`(algorithm: Digest.Algorithm) async throws {
        var builder = ImageBuilder(algorithm: algorithm)
        let (image, other) = (try builder.image(), try builder.image())
        try await withServer { server in
            for kept in [image, other] { try await server.push(kept) }
            let tags = [(image, "one"), (image, "two"), (other, "three"), (image, "four")]
            for (image, tag) in tags {
                #expect(try await server.put(image.document, as: "\(image.digest)?tag=\(tag)").status == 201)
            }
            // One that pointed there once.
            #expect(try await server.put(other.document, as: "\(other.digest)?tag=four").status == 201)
            #expect(try await server.ask("DELETE", "/v2/app/manifests/\(image.digest)").status == 202)
            for gone in ["one", "two", "\(image.digest)"] {
                expect(try await server.ask("GET", "/v2/app/manifests/\(gone)"), 404, "MANIFEST_UNKNOWN", "\(gone)")
            }
            for kept in ["three", "four", "\(other.digest)"] {
                #expect(try await server.ask("GET", "/v2/app/manifests/\(kept)").body == other.document.bytes)
            }
            expect(try await server.ask("DELETE", "/v2/app/manifests/\(image.digest)"), 404, "MANIFEST_UNKNOWN")
            let left = try await server.ask("GET", "/v2/app/tags/list")
            #expect(left.text == #"{"name":"app","tags":["four","three"]}"#)
            // Its blobs are not its own, and stay.
            for blob in image.blobs {
                #expect(try await server.ask("HEAD", "/v2/app/blobs/\(blob.digest)").status == 200)
            }
            // When it comes back, its tags do not.
            try await server.push(image)
            #expect(try await server.ask("HEAD", "/v2/app/manifests/\(image.digest)").status == 200)
            #expect(try await server.ask("HEAD", "/v2/app/manifests/one").status == 404)
        }
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `a blob goes from one repository`(algorithm: Digest.Algorithm) async throws {
        let (bytes, digest) = try content(1000, algorithm)
        try await withServer { server in
            for repository in ["one", "two"] { try await server.push(bytes, to: repository, algorithm: algorithm) }
            let answer = try await server.ask("DELETE", "/v2/one/blobs/\(digest)")
            #expect(answer.status == 202 && answer.body.isEmpty)
            expect(try await server.ask("GET", "/v2/one/blobs/\(digest)"), 404, "BLOB_UNKNOWN")
            #expect(try await server.ask("HEAD", "/v2/one/blobs/\(digest)").status == 404)
            expect(try await server.ask("DELETE", "/v2/one/blobs/\(digest)"), 404, "BLOB_UNKNOWN")
            #expect(try await server.ask("GET", "/v2/two/blobs/\(digest)").body == bytes)
            try await server.push(bytes, to: "one", algorithm: algorithm)
            #expect(try await server.ask("GET", "/v2/one/blobs/\(digest)").body == bytes)
        }
    }

    @Test func `what is not there cannot be deleted`() async throws {
        let (_, digest) = try content(10)
        try await withServer { server in
            try await server.push([1], to: "app")
            for repository in ["app", "nowhere"] {
                let path = "/v2/\(repository)"
                expect(try await server.ask("DELETE", "\(path)/blobs/\(digest)"), 404, "BLOB_UNKNOWN")
                expect(try await server.ask("DELETE", "\(path)/manifests/\(digest)"), 404, "MANIFEST_UNKNOWN")
                expect(try await server.ask("DELETE", "\(path)/manifests/latest"), 404, "MANIFEST_UNKNOWN")
            }
            #expect(server.storage.repositories() == ["app"])
        }
    }

    /// A manifest is a file like a blob in the directory; that it is a blob of no repository must not be lost.
    @Test func `a blob that is a manifest as well goes as the one and stays as the other`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image, tag: "latest")
            try await server.push(image.document.bytes)
            #expect(try await server.ask("DELETE", "/v2/app/blobs/\(image.digest)").status == 202)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
            try await server.push(image.document.bytes)
            #expect(try await server.ask("DELETE", "/v2/app/manifests/\(image.digest)").status == 202)
            #expect(try await server.ask("GET", "/v2/app/blobs/\(image.digest)").body == image.document.bytes)
        }
    }
}
