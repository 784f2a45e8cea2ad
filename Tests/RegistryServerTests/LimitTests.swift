import OCI
import RegistryServer
import TestSupport
import Testing

/// More connections than a limit.
@Suite struct LimitTests {
    @Test func `connections beyond the limit are told so, and later ones are served`() async throws {
        try await withServer(.with { $0.connectionLimit = 3 }) { server in
            let digest = try await server.push([1, 2, 3])
            var connections: [HTTPConnection] = []
            // The connection of the push before is in until the server knows that it has gone.
            for _ in 0..<500 where connections.count < 3 {
                let connection = try server.connect()
                let status = try await connection.ask(HTTPRequest("GET", "/v2/")).status
                if status == 200 { connections.append(connection) }
            }
            try #require(connections.count == 3)
            for request in [
                HTTPRequest("GET", "/v2/app/blobs/\(digest)"), HTTPRequest("GET", "/healthz"),
                HTTPRequest("POST", "/v2/app/blobs/uploads/", body: [UInt8](repeating: 1, count: 1 << 20)),
            ] {
                let connection = try server.connect()
                let answer = try await connection.ask(request)
                expect(answer, 429, "TOOMANYREQUESTS")
                #expect(answer.headers("Retry-After") == ["1"])
                #expect(answer.headers("Connection") == ["close"])
                #expect(try await connection.receiveRest().isEmpty)
            }
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
            for connection in connections { try await expectServed(connection, digest) }
        }
    }

    private func expectServed(_ connection: HTTPConnection, _ digest: Digest) async throws {
        let answer = try await connection.ask(HTTPRequest("GET", "/v2/app/blobs/\(digest)"))
        #expect(answer.status == 200 && answer.body == [1, 2, 3])
    }

    @Test func `a place that became free is given to the next`() async throws {
        try await withServer(.with { $0.connectionLimit = 1 }) { server in
            for _ in 0..<20 {
                // The server learns a moment later that the last one has gone.
                for attempt in 0..<500 {
                    let status = try await server.ask("GET", "/v2/").status
                    if status == 200 { break }
                    #expect(status == 429 && attempt < 499)
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        }
    }

    /// Far beyond the limit there is not even an answer; the server must come through it.
    @Test func `a flood of connections leaves the server well`() async throws {
        try await withServer(.with { $0.connectionLimit = 2 }) { server in
            var answers: [Int?] = []
            do {
                let flood = try (0..<400).map { _ in try server.connect() }
                for connection in flood {
                    try? await connection.send(HTTPRequest("GET", "/v2/").bytes)
                    answers.append(try? await connection.receive().status)
                }
            }
            #expect(Set(answers) == [200, 429, nil])
            #expect(answers.count { $0 == 200 } == 2)
            for _ in 0..<500 {
                if try await server.ask("GET", "/v2/").status == 200 { break }
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await server.ask("GET", "/v2/").status == 200)
        }
    }
}
