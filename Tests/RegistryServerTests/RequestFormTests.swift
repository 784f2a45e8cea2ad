import TestSupport
import Testing

/// Spec: RFC 9112 "Request Target", "Host", "Transfer-Encoding".
@Suite struct RequestFormTests {
    private func ask(_ text: String, _ server: TestServer) async throws -> HTTPAnswer {
        let connection = try server.connect()
        try await connection.send(text)
        return try await connection.receive()
    }

    @Test func `a target may name its scheme and host`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2, 3])
            for start in ["http://registry.test", "HTTPS://other.test:5000", ""] {
                let blob = try await server.ask("GET", "\(start)/v2/app/blobs/\(digest)?a=b")
                #expect(blob.status == 200 && blob.body == [1, 2, 3], "\(start)")
            }
            #expect(try await server.ask("GET", "http://registry.test").status == 200)
            expect(try await server.ask("GET", "http://registry.test/nowhere"), 404, "UNSUPPORTED")
            expect(try await server.ask("GET", "ftp://registry.test/v2/"), 404, "UNSUPPORTED")
        }
    }

    @Test func `a request of HTTP 1_1 names one host`() async throws {
        try await withServer { server in
            for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n"] {
                expect(try await ask("GET /v2/ HTTP/1.1\r\n\(hosts)\r\n", server), 400, "UNSUPPORTED", "\(hosts)")
            }
            #expect(try await ask("GET /v2/ HTTP/1.1\r\nHost:\r\n\r\n", server).status == 200)
            #expect(try await ask("GET /v2/ HTTP/1.0\r\n\r\n", server).status == 200)
        }
    }

    @Test func `a transfer coding that nobody knows is told`() async throws {
        let (bytes, digest) = try content(10)
        let target = "/v2/app/blobs/uploads/?digest=\(digest)"
        try await withServer { server in
            let head = "POST \(target) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
            let answer = try await ask(head + "0\r\n\r\n", server)
            expect(answer, 501, "UNSUPPORTED")
            #expect(server.storage.repositories().isEmpty)
            try await server.push(bytes)
        }
    }
}
