import TestSupport
import Testing

/// Spec: RFC 9112 "Connection Management".
@Suite struct ConnectionTests {
    @Test func `a connection is kept from answer to answer`() async throws {
        let (bytes, digest) = try content(100_000)
        try await withServer { server in
            let connection = try server.connect()
            let location = try #require(
                try await connection.ask(HTTPRequest("POST", "/v2/app/blobs/uploads/")).header("Location")
            )
            let requests = [
                (HTTPRequest("PUT", "\(location)?digest=\(digest)", body: bytes, framing: .chunked(of: 999)), 201),
                (HTTPRequest("HEAD", "/v2/app/blobs/\(digest)"), 200),
                (HTTPRequest("GET", "/v2/app/blobs/sha256:abc"), 400), (HTTPRequest("GET", "/nowhere"), 404),
                (HTTPRequest("PUT", "/v2/app/manifests/latest", body: Array("no JSON".utf8)), 400),
                // Bodies that nobody wants, of a size that is easier to take than to refuse.
                (HTTPRequest("GET", "/v2/app/blobs/\(digest)", body: bytes), 200),
                (HTTPRequest("POST", "/v2/app/tags/list", body: bytes), 405),
                (HTTPRequest("DELETE", "/v2/app/manifests/latest"), 404),
                (HTTPRequest("GET", location), 404), (HTTPRequest("GET", "/v2/app/blobs/\(digest)"), 200),
            ]
            for (request, status) in requests {
                let answer = try await connection.ask(request)
                #expect(answer.status == status, "\(request.method) \(request.target)")
                #expect(answer.version == "HTTP/1.1" && answer.headers("Connection").isEmpty)
            }
        }
    }

    @Test func `requests that are sent ahead are answered in their order`() async throws {
        let (bytes, digest) = try content(1_500_000)
        try await withServer { server in
            try await server.push(bytes)
            let small = try await server.push([1, 2, 3])
            let requests = [
                HTTPRequest("GET", "/v2/app/blobs/\(digest)"), HTTPRequest("HEAD", "/v2/app/blobs/\(digest)"),
                HTTPRequest("GET", "/v2/app/blobs/\(small)"), HTTPRequest("GET", "/nowhere"),
                HTTPRequest("POST", "/v2/app/blobs/uploads/?digest=\(digest)", body: bytes),
                HTTPRequest("GET", "/v2/app/tags/list", headers: [("Connection", "close")]),
                // After that nothing is answered.
                HTTPRequest("GET", "/v2/"),
            ]
            let connection = try server.connect()
            async let sent: Void = connection.send(requests.flatMap(\.bytes))
            var statuses: [Int] = []
            var bodies: [[UInt8]] = []
            for request in requests.dropLast() {
                let answer = try await connection.receive(toHEAD: request.method == "HEAD")
                statuses.append(answer.status)
                bodies.append(answer.body)
            }
            _ = try await sent
            #expect(statuses == [200, 200, 200, 404, 201, 200])
            #expect(bodies[0] == bytes && bodies[1].isEmpty && bodies[2] == [1, 2, 3])
            #expect(try await connection.receiveRest().isEmpty)
        }
    }

    @Test func `a connection is closed where the client wants it so`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2, 3])
            for method in ["GET", "HEAD"] {
                let connection = try server.connect()
                let close = [(name: "Connection", value: "close")]
                let request = HTTPRequest(method, "/v2/app/blobs/\(digest)", headers: close)
                let answer = try await connection.ask(request)
                #expect(answer.status == 200 && answer.headers("Connection") == ["close"])
                #expect(try await connection.receiveRest().isEmpty)
            }
        }
    }

    @Test func `HTTP 1_0 closes, unless it says that it does not`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2, 3])
            var request = HTTPRequest("GET", "/v2/app/blobs/\(digest)")
            request.version = "HTTP/1.0"
            let connection = try server.connect()
            let answer = try await connection.ask(request)
            #expect(answer.status == 200 && answer.body == [1, 2, 3])
            #expect(answer.headers("Content-Length") == ["3"] && answer.headers("Transfer-Encoding").isEmpty)
            #expect(try await connection.receiveRest().isEmpty)

            request.headers = [("Connection", "keep-alive")]
            let kept = try server.connect()
            for _ in 0..<3 {
                let answer = try await kept.ask(request)
                #expect(answer.status == 200 && answer.body == [1, 2, 3])
                // Without this a client of that age would wait for the end.
                #expect(answer.headers("Connection") == ["keep-alive"])
            }
        }
    }

    /// A client may say that it is done before it has its answer.
    @Test func `the answer comes though the client sends nothing more`() async throws {
        let (bytes, digest) = try content(3_000_000)
        try await withServer { server in
            try await server.push(bytes)
            let connection = try server.connect()
            try await connection.send(HTTPRequest("GET", "/v2/app/blobs/\(digest)").bytes)
            connection.finishSending()
            let answer = try await connection.receive()
            #expect(answer.status == 200 && answer.body == bytes)
            #expect(try await connection.receiveRest().isEmpty)
        }
    }

    @Test(arguments: [
        "\r\n\r\n\r\nHELO registry\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /v2/\r\n\r\n", "GET /v2/ HTTP/9.9\r\n\r\n", "GET /v2/ HTTP/1.1\r\nA B: c\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\n: c\r\n\r\n", "G\u{0}T /v2/ HTTP/1.1\r\n\r\n",
        // Two ways of telling the body's end that disagree are how requests are smuggled.
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "PUT /v2/app/manifests/latest HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "GET /v2/ HTTP/1.1\r\nX: \(String(repeating: "x", count: 200_000))\r\n\r\n",
        "GET /v2/ HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 20_000))\r\n",
        "GET /\(String(repeating: "x", count: 200_000)) HTTP/1.1\r\n\r\n",
    ])
    func `what is no HTTP, or too much of it, ends its connection and nothing else`(text: String) async throws {
        try await withServer { server in
            let connection = try server.connect()
            // The rest of what is too long may not go out any more.
            try? await connection.send(text)
            connection.finishSending()
            do {
                let answer = try await connection.receive()
                #expect(answer.status == 400, "\(answer)")
                _ = try await connection.receiveRest()
            } catch let error as HTTPConnectionError {
                // It may be closed without a word, or reset where more came than was taken.
                switch error.code {
                case .ended(byteCount: 0), .receiving: break
                default: throw error
                }
            }
            #expect(server.storage.repositories().isEmpty)
            try await expectAlive(server)
        }
    }
}
