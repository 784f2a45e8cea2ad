import RegistryServer
import TestSupport
import Testing

/// Answers to requests whose body is still coming.
@Suite struct EarlyAnswerTests {
    private static let byteCount = 30 << 20

    /// A client that looks for its answer only when it has sent everything must not be cut off before it finds it.
    @Test(arguments: [
        ("PATCH", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000", 404),
        ("PUT", "/v2/app/manifests/latest", 413), ("POST", "/v2/App/blobs/uploads/", 400), ("POST", "/", 405),
    ])
    func `who keeps sending a large body gets the answer and no reset`(method: String, path: String, status: Int)
        async throws
    {
        let body = [UInt8](repeating: 0x20, count: Self.byteCount)
        try await withServer { server in
            for framing in [HTTPRequest.Framing.length, .chunked(of: 1 << 20)] {
                let connection = try server.connect()
                try await connection.send(HTTPRequest(method, path, body: body, framing: framing).bytes)
                let answer = try await connection.receive()
                #expect(answer.status == status)
                #expect(answer.headers("Connection") == ["close"])
                #expect(try await connection.receiveRest().isEmpty)
            }
            try await expectAlive(server)
        }
    }

    /// It has the answer while it is still sending, and may leave off.
    @Test func `the answer comes before the body has ended`() async throws {
        try await withServer { server in
            let connection = try server.connect()
            let request = HTTPRequest("PUT", "/v2/app/manifests/latest", framing: .declared(1 << 40))
            try await connection.send(request.head)
            let answer = try await connection.receive()
            expect(answer, 413, "SIZE_INVALID")
            try await connection.send([UInt8](repeating: 1, count: 1 << 20))
            connection.finishSending()
            #expect(try await connection.receiveRest().isEmpty)
        }
    }

    /// A small body that was announced and does not come must not keep the answer back for ever.
    @Test func `the answer comes though the body does not`() async throws {
        try await withServer(.with { $0.idleTimeout = .milliseconds(300) }) { server in
            let connection = try server.connect()
            try await connection.send(HTTPRequest("POST", "/nowhere", framing: .declared(100)).head + [1, 2, 3])
            let answer = try await connection.receive()
            expect(answer, 404, "UNSUPPORTED")
            // Without the rest there is no next request either.
            #expect(try await connection.receiveRest().isEmpty)
        }
    }

    /// What a client sends beyond all measure is not taken.
    @Test func `a body without end is cut off`() async throws {
        try await withServer { server in
            let connection = try server.connect()
            try await connection.send(HTTPRequest("PUT", "/nowhere", framing: .declared(1 << 40)).head)
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            var sent = 0
            while sent < 1024 {
                do { try await connection.send(piece) } catch { break }
                sent += 1
            }
            #expect(sent < 1024)
            try await expectAlive(server)
        }
    }
}
