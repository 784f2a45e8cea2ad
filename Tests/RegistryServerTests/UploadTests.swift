import OCI
import TestSupport
import Testing

/// Spec: distribution "Pushing blobs".
@Suite struct UploadTests {
    /// The ways of a blob that comes in one piece.
    enum Way: CaseIterable {
        case post
        case postThenPut
        case postThenPatchThenPut
    }

    /// Sends a blob in one of the ways, and gives the last answer.
    private func send(
        _ bytes: [UInt8],
        as digest: Digest,
        _ way: Way,
        to server: TestServer,
        _ framing: HTTPRequest.Framing,
        opening parameters: String = ""
    ) async throws -> HTTPAnswer {
        if way == .post {
            return try await server.ask(
                "POST",
                "/v2/app/blobs/uploads/?digest=\(digest)",
                body: bytes,
                framing: framing
            )
        }
        let location = try await server.openUpload(parameters: parameters)
        if way == .postThenPut {
            return try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes, framing: framing)
        }
        let patched = try await server.ask("PATCH", location, body: bytes, framing: framing)
        #expect(patched.status == 202)
        #expect(patched.headers("Range") == ["0-\(max(0, bytes.count - 1))"])
        let next = try #require(patched.header("Location"))
        return try await server.ask("PUT", "\(next)?digest=\(digest)")
    }

    private func expectStored(_ bytes: [UInt8], _ answer: HTTPAnswer, as digest: Digest, in server: TestServer)
        async throws
    {
        #expect(answer.status == 201)
        #expect(answer.headers("Docker-Content-Digest") == [digest.description])
        #expect(answer.headers("Content-Length") == ["0"])
        let location = try #require(answer.header("Location"))
        #expect(location == "/v2/app/blobs/\(digest)")
        try await expectEqual(server.ask("GET", location).body, bytes)
        try expectEqual(server.storage.bytes(digest), bytes)
        #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test(arguments: Way.allCases, [0, 1, 100_000, (1 << 20) + 3])
    func `a blob arrives in one piece`(way: Way, byteCount: Int) async throws {
        let (bytes, digest) = try content(byteCount)
        try await withServer { server in
            let answer = try await send(bytes, as: digest, way, to: server, .length)
            try await expectStored(bytes, answer, as: digest, in: server)
        }
    }

    /// Without a length, as who makes the blob while sending it does; an empty one is one last chunk.
    @Test(arguments: Way.allCases, [0, 1, 300_000])
    func `a blob arrives in chunked transfer coding`(way: Way, byteCount: Int) async throws {
        let (bytes, digest) = try content(byteCount)
        try await withServer { server in
            let answer = try await send(bytes, as: digest, way, to: server, .chunked(of: 7000))
            try await expectStored(bytes, answer, as: digest, in: server)
        }
    }

    /// A client need not say before the end by what its blob is digested.
    @Test(arguments: Way.allCases, ["", "?digest-algorithm=sha512", "?digest-algorithm=sha256"])
    func `a blob is taken by sha512`(way: Way, parameters: String) async throws {
        let (bytes, digest) = try content(200_000, .sha512)
        try await withServer { server in
            let answer = try await send(bytes, as: digest, way, to: server, .length, opening: parameters)
            try await expectStored(bytes, answer, as: digest, in: server)
        }
    }

    @Test(arguments: Way.allCases, Digest.Algorithm.allCases)
    func `other bytes than the digest says are refused and leave nothing`(way: Way, algorithm: Digest.Algorithm)
        async throws
    {
        let (bytes, digest) = try content(5000, algorithm)
        try await withServer { server in
            for wrong in [bytes + [0, 1, 2, 3, 4], Array(bytes.dropLast()), []] {
                let answer = try await send(wrong, as: digest, way, to: server, .length)
                expect(answer, 400, "DIGEST_INVALID")
                #expect(answer.errorMessage?.contains("\(digest)") == true)
                #expect(try await server.ask("HEAD", "/v2/app/blobs/\(digest)").status == 404)
                #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
            }
            #expect(try server.storage.blobs().isEmpty)
            let answer = try await send(bytes, as: digest, way, to: server, .length)
            try await expectStored(bytes, answer, as: digest, in: server)
        }
    }

    @Test func `a session is opened with its location and nothing in it`() async throws {
        try await withServer { server in
            for path in ["/v2/some/app/blobs/uploads/", "/v2/some/app/blobs/uploads"] {
                let answer = try await server.ask("POST", path)
                #expect(answer.status == 202)
                #expect(answer.headers("Range") == ["0-0"])
                #expect(answer.headers("Content-Length") == ["0"])
                let id = try #require(answer.header("Docker-Upload-UUID"))
                #expect(answer.headers("Location") == ["/v2/some/app/blobs/uploads/\(id)"])
                #expect(id.wholeMatch(of: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil)
                let status = try await server.status(of: "/v2/some/app/blobs/uploads/\(id)")
                #expect(status.status == 204)
                #expect(status.headers("Range") == ["0-0"])
                #expect(status.headers("Location") == answer.headers("Location"))
                #expect(status.headers("Docker-Upload-UUID") == [id])
            }
        }
    }

    /// Two pushers of one blob at the same time: both are told that it is there, and it is.
    @Test func `one blob arrives twice at once`() async throws {
        let (bytes, digest) = try content(100_000)
        try await withServer { server in
            let locations = [try await server.openUpload(), try await server.openUpload()]
            #expect(locations[0] != locations[1])
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for location in locations {
                    group.addTask {
                        try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == [201, 201])
            try await expectEqual(server.ask("GET", "/v2/app/blobs/\(digest)").body, bytes)
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
        }
    }

    @Test func `an algorithm that the registry has not is refused`() async throws {
        try await withServer { server in
            for name in ["md5", "sha384", "SHA256", "", "sha256%20"] {
                let answer = try await server.ask("POST", "/v2/app/blobs/uploads/?digest-algorithm=\(name)")
                expect(answer, 400, "DIGEST_INVALID", "\(name)")
            }
            #expect(server.storage.repositories().isEmpty)
        }
    }
}
