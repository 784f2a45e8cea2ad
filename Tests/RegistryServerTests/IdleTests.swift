import RegistryServer
import TestSupport
import Testing

/// Connections on which nothing moves, whose turn it is to move, and how little is enough.
///
/// No test asks how long something took: a connection that should end and does not makes the client's own time-out fail.
@Suite(.serialized) struct IdleTests {
    /// A connection that is to be closed waits for this; one that is not goes on for a multiple of a longer time, in
    /// steps that are small against it however busy the machine is.
    private func withImpatientServer(
        _ timeout: Duration = .milliseconds(400),
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await withServer(.with { $0.idleTimeout = timeout }) { server in
            try await body(server)
            try await expectAlive(server)
        }
    }

    @Test func `a connection that asks for nothing is closed`() async throws {
        try await withImpatientServer { server in
            let silent = try server.connect()
            let kept = try server.connect()
            #expect(try await kept.ask(HTTPRequest("GET", "/v2/")).status == 200)
            #expect(try await silent.receiveRest().isEmpty)
            #expect(try await kept.receiveRest().isEmpty)
        }
    }

    /// Bytes alone are no progress: a head has to be there in time.
    @Test func `a head that drips in is not waited for`() async throws {
        try await withImpatientServer { server in
            let connection = try server.connect()
            var sent = 0
            for byte in HTTPRequest("GET", "/v2/" + String(repeating: "x", count: 1000)).bytes {
                do { try await connection.send([byte]) } catch { break }
                sent += 1
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(sent < 1000)
        }
    }

    @Test func `a body that stalls is answered, and its session goes on`() async throws {
        let (bytes, digest) = try content(1000)
        try await withImpatientServer { server in
            for method in ["PATCH", "PUT"] {
                let location = try await server.openUpload()
                let target = method == "PUT" ? "\(location)?digest=\(digest)" : location
                let connection = try server.connect()
                try await connection.send(HTTPRequest(method, target, framing: .declared(1000)).head + bytes[..<400])
                let answer = try await connection.receive()
                expect(answer, 408, "SIZE_INVALID")
                #expect(answer.headers("Connection") == ["close"])
                #expect(try await connection.receiveRest().isEmpty)
                #expect(try await server.status(of: location).headers("Range") == ["0-399"])
                let rest = try await server.ask(
                    "PUT",
                    "\(location)?digest=\(digest)",
                    headers: [("Content-Range", "400-999")],
                    body: Array(bytes[400...])
                )
                #expect(rest.status == 201)
            }
        }
    }

    @Test func `a manifest that stalls is answered, and nothing of it is kept`() async throws {
        try await withImpatientServer { server in
            let connection = try server.connect()
            let request = HTTPRequest("PUT", "/v2/app/manifests/latest", framing: .chunked(of: 10))
            try await connection.send(request.head + HTTPRequest.chunk(Array("{\"schema".utf8)))
            #expect(try await connection.receive().status == 408)
            #expect(server.storage.repositories().isEmpty)
        }
    }

    /// A client that was told to send its body and does not.
    @Test func `a body that was asked for and does not come is not waited for`() async throws {
        try await withImpatientServer { server in
            let location = try await server.openUpload()
            let connection = try server.connect()
            let request = HTTPRequest("PATCH", location, headers: [("Expect", "100-continue")], framing: .declared(10))
            try await connection.send(request.head)
            let answer = try await connection.receive()
            #expect(answer.interim == [100] && answer.status == 408)
        }
    }

    @Test func `a body that comes slowly is waited for`() async throws {
        let (bytes, digest) = try content(40)
        try await withImpatientServer(.seconds(6)) { server in
            let connection = try server.connect()
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            try await connection.send(HTTPRequest("POST", target, body: bytes).head)
            for byte in bytes {
                try await connection.send([byte])
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(try await connection.receive().status == 201)
        }
    }

    @Test func `a reader that takes nothing is cut off`() async throws {
        let (bytes, digest) = try content(24 << 20)
        try await withImpatientServer { server in
            try await server.push(bytes)
            let connection = try server.connect(receiveByteCount: 256 << 10)
            try await connection.send(HTTPRequest("GET", "/v2/app/blobs/\(digest)").bytes)
            _ = try await connection.receiveHead()
            // It is over when the server says so, and not when the client looks again.
            let entry = try await server.log.entry { $0.metadata["cause"]?.hasPrefix("sending") == true }
            #expect(entry.metadata["method"] == "GET")
            let error = await #expect(throws: HTTPConnectionError.self) {
                try await connection.receive(count: bytes.count)
            }
            if case .timedOut = try #require(error).code { Issue.record("the connection was not closed") }
        }
    }

    @Test func `a reader that takes little at a time is not cut off`() async throws {
        let (bytes, digest) = try content(24 << 20)
        try await withImpatientServer(.seconds(6)) { server in
            try await server.push(bytes)
            let connection = try server.connect(receiveByteCount: 256 << 10)
            try await connection.send(HTTPRequest("GET", "/v2/app/blobs/\(digest)").bytes)
            _ = try await connection.receiveHead()
            var received: [UInt8] = []
            while received.count < bytes.count {
                received += try await connection.receive(count: min(192 << 10, bytes.count - received.count))
                try await Task.sleep(for: .milliseconds(60))
            }
            expectEqual(received, bytes)
        }
    }

    /// The server takes its time over a password: that is not the client's fault.
    @Test func `a server that takes long does not blame its client`() async throws {
        let passwords = try PasswordFile(cost: 14)
        let settings = RegistryServer.Configuration.with { configuration in
            configuration.idleTimeout = .milliseconds(200)
            configuration.passwordFile = passwords.path
        }
        try await withServer(settings) { server in
            let connection = try server.connect()
            // The whole of the body is there before the password is checked, or only the head of it.
            for (password, status) in [("secret", 202), ("wrong", 401)] {
                let header = PasswordFile.header("me", password)
                let request = HTTPRequest("POST", "/v2/app/blobs/uploads/", headers: [header], body: [1, 2, 3])
                #expect(try await connection.ask(request).status == status)
            }
        }
    }
}
