import OCI
import RegistryServer
import TestSupport
import Testing

/// Uploads whose connection broke, was taken over, or whose server was restarted.
@Suite struct UploadResumeTests {
    /// Waits until a session has at least so many bytes, and stays so.
    private func held(_ atLeast: Int, _ location: String, _ server: TestServer) async throws -> Int {
        var last = -1
        for _ in 0..<500 {
            let status = try await server.status(of: location)
            try #require(status.status == 204, "\(status.text)")
            let range = try #require(status.header("Range")?.wholeMatch(of: /0-([0-9]+)/))
            let count = try #require(Int(range.1)) + 1
            if count >= atLeast, count == last { return count }
            last = count
            try await Task.sleep(for: .milliseconds(20))
        }
        return try #require(nil, "only \(last) bytes arrived")
    }

    /// Sends the head and a part of the body of what says that it is longer, and leaves it at that.
    private func beginSending(
        _ method: String,
        _ target: String,
        _ bytes: ArraySlice<UInt8>,
        of byteCount: Int,
        _ server: TestServer
    ) async throws -> HTTPConnection {
        let connection = try server.connect()
        try await connection.send(HTTPRequest(method, target, framing: .declared(byteCount)).head + bytes)
        return connection
    }

    private func resume(_ bytes: [UInt8], _ digest: Digest, at count: Int, _ location: String, _ server: TestServer)
        async throws
    {
        let answer = try await server.ask(
            "PUT",
            "\(location)?digest=\(digest)",
            headers: [("Content-Range", "\(count)-\(bytes.count - 1)")],
            body: Array(bytes[count...])
        )
        #expect(answer.status == 201, "\(answer.text)")
        try await expectEqual(server.ask("GET", "/v2/app/blobs/\(digest)").body, bytes)
        #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test(arguments: ["PATCH", "PUT"], [false, true])
    func `an upload goes on where the connection broke`(method: String, isReset: Bool) async throws {
        let (bytes, digest) = try content(500_000)
        try await withServer { server in
            let location = try await server.openUpload()
            #expect(try await server.ask("PATCH", location, body: Array(bytes[..<100_000])).status == 202)
            let target = method == "PUT" ? "\(location)?digest=\(digest)" : location
            do {
                let rest = bytes[100_000..<300_000]
                let connection = try await beginSending(method, target, rest, of: 400_000, server)
                _ = try await held(isReset ? 100_000 : 300_000, location, server)
                if isReset { connection.breakOff() }
            }
            let count = try await held(100_000, location, server)
            #expect(count <= 300_000)
            #expect(try await server.ask("HEAD", "/v2/app/blobs/\(digest)").status == 404)
            try await resume(bytes, digest, at: count, location, server)
        }
    }

    /// A chunk with a range of which only a part came leaves that part.
    @Test func `the part of a chunk that came is kept`() async throws {
        let (bytes, digest) = try content(300_000)
        try await withServer { server in
            let location = try await server.openUpload()
            do {
                let connection = try server.connect()
                let request = HTTPRequest(
                    "PATCH",
                    location,
                    headers: [("Content-Range", "0-299999")],
                    framing: .declared(300_000)
                )
                try await connection.send(request.head + bytes[..<200_000])
                #expect(try await held(200_000, location, server) == 200_000)
            }
            try await resume(bytes, digest, at: 200_000, location, server)
        }
    }

    /// A client that lost its connection comes back before the server has noticed.
    @Test(arguments: ["PATCH", "PUT"])
    func `a session is taken over from a connection that stalled`(method: String) async throws {
        let (bytes, digest) = try content(300_000)
        try await withServer { server in
            let location = try await server.openUpload()
            let target = method == "PUT" ? "\(location)?digest=\(digest)" : location
            let stalled = try await beginSending(method, target, bytes[..<100_000], of: 300_000, server)
            #expect(try await held(100_000, location, server) == 100_000)
            let patch = HTTPRequest(
                "PATCH",
                location,
                headers: [("Content-Range", "100000-199999")],
                body: Array(bytes[100_000..<200_000])
            )
            #expect(try await server.ask(patch).status == 202)
            // What the first one still sends is not taken, and it is told so.
            try await stalled.send([UInt8](repeating: 0, count: 200_000))
            expect(try await stalled.receive(), 409, "BLOB_UPLOAD_INVALID")
            #expect(try await server.status(of: location).headers("Range") == ["0-199999"])
            try await resume(bytes, digest, at: 200_000, location, server)
        }
    }

    /// A chunk that is refused must not take the session from the one that is on its way.
    @Test(arguments: [("500-599", 416), ("no range", 400), ("0-9", 400)])
    func `a refused chunk disturbs no other`(range: String, status: Int) async throws {
        let (bytes, digest) = try content(300_000)
        try await withServer { server in
            let location = try await server.openUpload()
            let sending = try await beginSending("PATCH", location, bytes[..<100_000], of: 300_000, server)
            #expect(try await held(100_000, location, server) == 100_000)
            let wrong = [UInt8](repeating: 0, count: 100)
            let refused = try await server.ask("PATCH", location, headers: [("Content-Range", range)], body: wrong)
            #expect(refused.status == status)
            try await sending.send(Array(bytes[100_000...]))
            #expect(try await sending.receive().status == 202)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
            try await expectEqual(server.ask("GET", "/v2/app/blobs/\(digest)").body, bytes)
        }
    }

    @Test func `a session that was cancelled meanwhile takes nothing more`() async throws {
        let (bytes, _) = try content(300_000)
        try await withServer { server in
            let location = try await server.openUpload()
            let connection = try await beginSending("PATCH", location, bytes[..<100_000], of: 300_000, server)
            #expect(try await held(100_000, location, server) == 100_000)
            #expect(try await server.ask("DELETE", location).status == 204)
            try await connection.send(Array(bytes[100_000...]))
            expect(try await connection.receive(), 404, "BLOB_UPLOAD_UNKNOWN")
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
        }
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `an upload goes on after the server was restarted`(algorithm: Digest.Algorithm) async throws {
        let (bytes, digest) = try content(300_000, algorithm)
        let scratch = try ScratchDirectory()
        let location = try await withServer(on: scratch.path) { server in
            let location = try await server.openUpload(parameters: "?digest-algorithm=\(algorithm.rawValue)")
            #expect(try await server.ask("PATCH", location, body: Array(bytes[..<100_000])).status == 202)
            return location
        }
        try await withServer(on: scratch.path) { server in
            let status = try await server.status(of: location)
            #expect(status.status == 204 && status.headers("Range") == ["0-99999"])
            let patch = try await server.ask(
                "PATCH",
                location,
                headers: [("Content-Range", "100000-199999")],
                body: Array(bytes[100_000..<200_000])
            )
            #expect(patch.status == 202)
        }
        try await withServer(on: scratch.path) { server in
            try await resume(bytes, digest, at: 200_000, location, server)
        }
    }

    /// Whoever cannot say how far it was sends all of it again, to a session of its own.
    @Test func `a POST that broke leaves nothing`() async throws {
        let (bytes, digest) = try content(300_000)
        try await withServer { server in
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            do {
                let connection = try await beginSending("POST", target, bytes[..<100_000], of: 300_000, server)
                for _ in 0..<500 where server.storage.unfinishedUploads(repository: "app").isEmpty {
                    try await Task.sleep(for: .milliseconds(10))
                }
                #expect(server.storage.unfinishedUploads(repository: "app").count == 1)
                connection.breakOff()
            }
            for _ in 0..<500 where !server.storage.unfinishedUploads(repository: "app").isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
            try await server.push(bytes)
            try await expectEqual(server.ask("GET", "/v2/app/blobs/\(digest)").body, bytes)
        }
    }

    @Test func `an upload that nobody came back to is removed`() async throws {
        let scratch = try ScratchDirectory()
        let location = try await withServer(on: scratch.path) { try await $0.openUpload() }
        let removing = RegistryServer.Configuration.with { $0.uploadLifetime = .zero }
        try await withServer(on: scratch.path, removing) { server in
            for _ in 0..<500 where !server.storage.unfinishedUploads(repository: "app").isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            expect(try await server.status(of: location), 404, "BLOB_UPLOAD_UNKNOWN")
            _ = try await server.log.entry { $0.message == "removed abandoned uploads" && $0.metadata["count"] == "1" }
        }
    }
}
