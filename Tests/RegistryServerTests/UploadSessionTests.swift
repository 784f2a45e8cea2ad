import OCI
import TestSupport
import Testing

/// The addresses of upload sessions, and their end.
@Suite struct UploadSessionTests {
    private static let methods = ["GET", "HEAD", "PATCH", "PUT", "DELETE"]

    /// Expects that nothing can be done with a session.
    private func expectUnknown(_ location: String, _ server: TestServer, _ digest: Digest) async throws {
        for method in Self.methods {
            let target = method == "PUT" ? "\(location)?digest=\(digest)" : location
            let answer = try await server.ask(method, target)
            if method == "HEAD" {
                #expect(answer.status == 404)
            } else {
                expect(answer, 404, "BLOB_UPLOAD_UNKNOWN", "\(method) \(location)")
            }
        }
    }

    /// Names that no session has; some of them lead out of the directory, were they taken for a path.
    @Test(arguments: [
        "00000000-0000-4000-8000-000000000000", "x", "..", ".", "%2e%2e", "..%2f..%2f..%2f_layers", "%00",
        "00000000-0000-4000-8000-00000000000%2f", "A0000000-0000-4000-8000-000000000000",
        "00000000-0000-4000-8000-0000000000000", "data", "*",
    ])
    func `a session that there is not is unknown`(id: String) async throws {
        try await withServer { server in
            let (_, digest) = try content(10)
            try await server.push([1])
            try await expectUnknown("/v2/app/blobs/uploads/\(id)", server, digest)
            try await expectAlive(server)
        }
    }

    @Test func `a session belongs to its repository`() async throws {
        let (bytes, digest) = try content(10)
        try await withServer { server in
            let location = try await server.openUpload(in: "mine")
            try await server.push([1], to: "other")
            let foreign = location.replacing("/mine/", with: "/other/")
            try await expectUnknown(foreign, server, digest)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes).status == 201)
            #expect(try await server.ask("HEAD", "/v2/other/blobs/\(digest)").status == 404)
        }
    }

    @Test func `a session that was cancelled is gone, with what had come`() async throws {
        let (bytes, digest) = try content(100_000)
        try await withServer { server in
            let location = try await server.openUpload()
            #expect(try await server.ask("PATCH", location, body: bytes).status == 202)
            #expect(server.storage.unfinishedUploads(repository: "app").count == 1)
            let answer = try await server.ask("DELETE", location)
            #expect(answer.status == 204 && answer.body.isEmpty)
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
            try await expectUnknown(location, server, digest)
            #expect(try await server.ask("HEAD", "/v2/app/blobs/\(digest)").status == 404)
        }
    }

    @Test func `a session that ended has no second end`() async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            for (body, status) in [(bytes, 201), (bytes + [1], 400)] {
                let location = try await server.openUpload()
                let answer = try await server.ask("PUT", "\(location)?digest=\(digest)", body: body)
                #expect(answer.status == status)
                try await expectUnknown(location, server, digest)
            }
        }
    }

    @Test(arguments: [
        "", "?digest", "?digest=", "?digest=sha256:abc", "?digest=md5:d41d8cd98f00b204e9800998ecf8427e",
        "?Digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ])
    func `an end without a valid digest is refused and ends nothing`(parameters: String) async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            let location = try await server.openUpload()
            #expect(try await server.ask("PATCH", location, body: bytes).status == 202)
            expect(try await server.ask("PUT", location + parameters, body: [1, 2]), 400, "DIGEST_INVALID")
            #expect(try await server.status(of: location).headers("Range") == ["0-99"])
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
        }
    }

    @Test func `a digest in an address may be encoded, and other parameters come along`() async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            let location = try await server.openUpload()
            let answer = try await server.ask("PUT", "\(location)?a=b&digest=sha256%3A\(digest.hex)&z", body: bytes)
            #expect(answer.status == 201)
        }
    }

    @Test(arguments: ["sha256:abc", "latest", "", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"])
    func `a blob that comes with a digest that is none is refused`(text: String) async throws {
        try await withServer { server in
            let answer = try await server.ask("POST", "/v2/app/blobs/uploads/?digest=\(text)", body: [1, 2, 3])
            expect(answer, 400, "DIGEST_INVALID")
            #expect(server.storage.repositories().isEmpty)
        }
    }
}
