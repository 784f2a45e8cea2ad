import OCI
import TestSupport
import Testing

/// Spec: RFC 9110 "Range Requests".
@Suite struct RangeTests {
    private static let byteCount = 2048

    private func ask(_ server: TestServer, _ digest: Digest, _ headers: [(name: String, value: String)])
        async throws -> HTTPAnswer
    {
        try await server.ask("GET", "/v2/app/blobs/\(digest)", headers: headers)
    }

    /// Parts that there are, and the bytes of each.
    @Test(arguments: [
        ("bytes=500-1499", 500..<1500), ("bytes=0-0", 0..<1), ("bytes=500-", 500..<2048), ("bytes=0-", 0..<2048),
        ("bytes=-500", 1548..<2048), ("bytes=-1", 2047..<2048), ("bytes=-5000", 0..<2048),
        ("bytes=2000-5000", 2000..<2048), ("bytes=2047-2047", 2047..<2048), ("BYTES=0-9", 0..<10),
        ("bytes= 5-9 ", 5..<10), ("bytes=0-99999999999999999999999", 0..<2048),
        ("bytes=-99999999999999999999999", 0..<2048), ("bytes=0-9223372036854775807", 0..<2048),
    ])
    func `a part is given out`(header: String, range: Range<Int>) async throws {
        let (bytes, digest) = try content(Self.byteCount)
        try await withServer { server in
            try await server.push(bytes)
            let answer = try await ask(server, digest, [("Range", header)])
            #expect(answer.status == 206)
            #expect(answer.body == Array(bytes[range]))
            #expect(answer.headers("Content-Length") == [String(range.count)])
            #expect(answer.headers("Content-Range") == ["bytes \(range.lowerBound)-\(range.upperBound - 1)/2048"])
            #expect(answer.headers("Docker-Content-Digest") == [digest.description])
        }
    }

    /// What a server may or must pass over: other units, what is malformed, and several ranges at once.
    @Test(arguments: [
        "items=0-9", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=0-9,20-29",
        "bytes=+1-9", "bytes=0x1-0x9", "bytes 0-9",
    ])
    func `what is no single range is passed over`(header: String) async throws {
        let (bytes, digest) = try content(Self.byteCount)
        try await withServer { server in
            try await server.push(bytes)
            let answer = try await ask(server, digest, [("Range", header)])
            #expect(answer.status == 200)
            #expect(answer.body == bytes)
            #expect(answer.headers("Content-Range").isEmpty)
        }
    }

    @Test(arguments: [
        "bytes=2048-", "bytes=5000-10000", "bytes=2048-2048", "bytes=-0", "bytes=500-0",
        "bytes=99999999999999999999-",
    ])
    func `a part that there is not is refused with the size`(header: String) async throws {
        let (bytes, digest) = try content(Self.byteCount)
        try await withServer { server in
            try await server.push(bytes)
            let answer = try await ask(server, digest, [("Range", header)])
            expect(answer, 416, "SIZE_INVALID")
            #expect(answer.headers("Content-Range") == ["bytes */2048"])
        }
    }

    @Test func `of an empty blob there is no part`() async throws {
        try await withServer { server in
            let digest = try await server.push([])
            let parts = try await ask(server, digest, [("Range", "bytes=0-")])
            #expect(parts.status == 416 && parts.headers("Content-Range") == ["bytes */0"])
            let tail = try await ask(server, digest, [("Range", "bytes=-5")])
            #expect(tail.status == 416)
        }
    }

    @Test func `HEAD has no ranges`() async throws {
        let (bytes, digest) = try content(Self.byteCount)
        try await withServer { server in
            try await server.push(bytes)
            let answer = try await server.ask("HEAD", "/v2/app/blobs/\(digest)", headers: [("Range", "bytes=0-9")])
            #expect(answer.status == 200)
            #expect(answer.headers("Content-Length") == ["2048"])
        }
    }

    /// The part is for who has the beginning of the same content; all else is for the others.
    @Test func `If-Range decides between the part and the whole`() async throws {
        let (bytes, digest) = try content(Self.byteCount)
        try await withServer { server in
            try await server.push(bytes)
            let table: [(tag: String, status: Int)] = [
                ("\"\(digest)\"", 206), ("\"sha256:0\"", 200), ("W/\"\(digest)\"", 200),
                ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
            ]
            for (tag, status) in table {
                let answer = try await ask(server, digest, [("Range", "bytes=10-"), ("If-Range", tag)])
                #expect(answer.status == status, "\(tag)")
                #expect(answer.body == (status == 206 ? Array(bytes[10...]) : bytes))
            }
        }
    }

    @Test func `a large part from the middle of a large blob is the right one`() async throws {
        let (bytes, digest) = try content(5 << 20)
        try await withServer { server in
            try await server.push(bytes)
            let answer = try await ask(server, digest, [("Range", "bytes=1000001-4000000")])
            #expect(answer.status == 206)
            expectEqual(answer.body, Array(bytes[1_000_001...4_000_000]))
        }
    }
}
