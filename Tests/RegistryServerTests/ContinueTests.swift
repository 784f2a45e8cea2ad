import OCI
import RegistryServer
import TestSupport
import Testing

/// Spec: RFC 9110 "Expect".
@Suite struct ContinueTests {
    private static let expectation = (name: "Expect", value: "100-continue")

    @Test(arguments: ["100-continue", "100-Continue"], [HTTPRequest.Framing.length, .chunked(of: 5000)])
    func `a client that waits for it is told to send its body`(value: String, framing: HTTPRequest.Framing)
        async throws
    {
        let (bytes, digest) = try content(100_000)
        try await withServer { server in
            let connection = try server.connect()
            let location = try await server.openUpload()
            for (method, target, status) in [("PATCH", location, 202), ("PUT", "\(location)?digest=\(digest)", 201)] {
                let body = method == "PATCH" ? bytes : []
                let expectation = (name: "Expect", value: value)
                let request = HTTPRequest(method, target, headers: [expectation], body: body, framing: framing)
                try await connection.send(request.head)
                #expect(try await connection.receiveHead().status == 100)
                try await connection.send(request.framedBody)
                let answer = try await connection.receive()
                #expect(answer.status == status)
                // Told once.
                #expect(answer.interim.isEmpty && answer.headers("Connection").isEmpty)
            }
            try await expectEqual(connection.ask(HTTPRequest("GET", "/v2/app/blobs/\(digest)")).body, bytes)
        }
    }

    @Test func `a client that waits no longer is served all the same`() async throws {
        let (bytes, digest) = try content(100_000)
        try await withServer { server in
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            let answer = try await server.ask("POST", target, headers: [Self.expectation], body: bytes)
            #expect(answer.status == 201)
            #expect(answer.interim == [100])
        }
    }

    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    /// Refused before the body, which then need not be sent: the answer says that the connection ends.
    @Test(arguments: [
        ("POST", "/nowhere", 404), ("PUT", "/v2/app/tags/list", 405), ("PUT", "/v2/App/manifests/latest", 400),
        ("PATCH", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000", 404),
        ("POST", "/v2/app/blobs/uploads/?digest=sha256:abc", 400), ("PUT", "/v2/app/manifests/sha256:abc", 400),
        ("POST", "/v2/app/blobs/uploads/", 202),
    ])
    func `who is refused is not told to send its body`(method: String, path: String, status: Int) async throws {
        let body = [UInt8](repeating: 1, count: 100)
        try await withServer { server in
            let connection = try server.connect()
            let request = HTTPRequest(method, path, headers: [Self.expectation], body: body)
            try await connection.send(request.head)
            let answer = try await connection.receive()
            #expect(answer.status == status)
            #expect(answer.interim.isEmpty)
            #expect(answer.headers("Connection") == ["close"])
            #expect(try await connection.receiveRest().isEmpty)

            // One that sends the body at once has its answer too.
            let eager = try server.connect()
            try await eager.send(request.bytes)
            let second = try await eager.receive()
            #expect(second.status == status)
            #expect(second.interim.isEmpty)
        }
    }

    @Test func `a chunk out of order is refused before it is sent`() async throws {
        try await withServer { server in
            let location = try await server.openUpload()
            let request = HTTPRequest(
                "PATCH",
                location,
                headers: [Self.expectation, ("Content-Range", "100-199")],
                body: [UInt8](repeating: 1, count: 100)
            )
            let connection = try server.connect()
            try await connection.send(request.head)
            let answer = try await connection.receive()
            expect(answer, 416, "BLOB_UPLOAD_INVALID")
            #expect(answer.interim.isEmpty)
        }
    }

    @Test func `without a password nobody is told to send a body`() async throws {
        let passwords = try PasswordFile()
        try await withServer(.with { $0.passwordFile = passwords.path }) { server in
            let target = "/v2/app/blobs/uploads/?digest=\(Self.digest)"
            let request = HTTPRequest("POST", target, headers: [Self.expectation], body: [1, 2, 3])
            let connection = try server.connect()
            try await connection.send(request.head)
            let answer = try await connection.receive()
            expect(answer, 401, "UNAUTHORIZED")
            #expect(answer.interim.isEmpty)
        }
    }

    /// Spec: RFC 9110: the expectation of a client of HTTP/1.0 is to be ignored.
    @Test func `HTTP 1_0 knows no interim answers`() async throws {
        let (bytes, digest) = try content(1000)
        try await withServer { server in
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            var request = HTTPRequest("POST", target, headers: [Self.expectation], body: bytes)
            request.version = "HTTP/1.0"
            let answer = try await server.ask(request)
            #expect(answer.status == 201 && answer.interim.isEmpty)
        }
    }
}
