import OCI
import TestSupport
import Testing

/// Spec: distribution "Pushing a blob in chunks".
@Suite struct UploadChunkTests {
    private func patch(_ location: String, _ bytes: ArraySlice<UInt8>, at range: String, _ server: TestServer)
        async throws -> HTTPAnswer
    {
        try await server.ask("PATCH", location, headers: [("Content-Range", range)], body: Array(bytes))
    }

    private func expectHeld(_ byteCount: Int, _ location: String, _ server: TestServer) async throws {
        let status = try await server.status(of: location)
        #expect(status.status == 204)
        #expect(status.headers("Range") == ["0-\(max(0, byteCount - 1))"])
        #expect(status.headers("Location") == [location])
    }

    /// The last chunk may come with the `PUT`, or before it.
    @Test(arguments: [false, true], Digest.Algorithm.allCases)
    func `a blob arrives in chunks`(lastIsPut: Bool, algorithm: Digest.Algorithm) async throws {
        let (bytes, digest) = try content(3067, algorithm)
        try await withServer { server in
            var location = try await server.openUpload()
            for start in stride(from: 0, to: lastIsPut ? 2048 : 3067, by: 1024) {
                let end = min(start + 1024, 3067)
                let answer = try await patch(location, bytes[start..<end], at: "\(start)-\(end - 1)", server)
                #expect(answer.status == 202)
                #expect(answer.headers("Range") == ["0-\(end - 1)"])
                location = try #require(answer.header("Location"))
                try await expectHeld(end, location, server)
            }
            let answer = try await server.ask(
                "PUT",
                "\(location)?digest=\(digest)",
                headers: lastIsPut ? [("Content-Range", "2048-3066")] : [],
                body: lastIsPut ? Array(bytes[2048...]) : []
            )
            #expect(answer.status == 201)
            #expect(try await server.ask("GET", try #require(answer.header("Location"))).body == bytes)
        }
    }

    /// `bytes 0-9/10` is how RFC 9110 has it, and some clients too.
    @Test(arguments: ["bytes 0-9/10", "bytes 0-9/*", "bytes 0-9", "0-9"])
    func `a range may be written as elsewhere`(range: String) async throws {
        let (bytes, digest) = try content(10)
        try await withServer { server in
            let location = try await server.openUpload()
            #expect(try await patch(location, bytes[...], at: range, server).status == 202)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
        }
    }

    /// Chunks before, after and over what is there; the session is as if none of them had come.
    @Test(arguments: [("PATCH"), ("PUT")])
    func `a chunk out of order is refused and changes nothing`(method: String) async throws {
        let (bytes, digest) = try content(3067)
        try await withServer { server in
            let connection = try server.connect()
            let location = try await server.openUpload()
            var held = 0
            let table: [(wrong: Range<Int>, right: Range<Int>)] = [
                (1024..<2048, 0..<1024), (2048..<3067, 1024..<2048), (0..<1024, 2048..<3067), (1000..<2048, 0..<0),
            ]
            for (wrong, right) in table {
                let target = method == "PUT" ? "\(location)?digest=\(digest)" : location
                let refused = try await connection.ask(
                    HTTPRequest(
                        method,
                        target,
                        headers: [("Content-Range", "\(wrong.lowerBound)-\(wrong.upperBound - 1)")],
                        body: Array(bytes[wrong])
                    )
                )
                expect(refused, 416, "BLOB_UPLOAD_INVALID")
                #expect(refused.headers("Range") == ["0-\(max(0, held - 1))"])
                #expect(refused.headers("Location") == [location])
                try await expectHeld(held, location, server)
                // The very address that was refused says how far it is, whatever else is in it.
                #expect(try await server.status(of: target).status == 204)
                guard !right.isEmpty else { continue }
                let range = "\(right.lowerBound)-\(right.upperBound - 1)"
                let accepted = try await patch(location, bytes[right], at: range, server)
                #expect(accepted.status == 202)
                held = right.upperBound
            }
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
            #expect(try server.storage.bytes(digest) == bytes)
        }
    }

    @Test(arguments: [
        "", "-", "0-", "-9", "a-b", "9-0", "0-9-19", "0,9", "bytes=0-9", "+0-9", "0x0-0x9", "0-9/10",
        "0-99999999999999999999", "0-9223372036854775807", "0 - 9",
    ])
    func `a malformed range is refused and changes nothing`(range: String) async throws {
        let (bytes, digest) = try content(10)
        try await withServer { server in
            let location = try await server.openUpload()
            expect(try await patch(location, bytes[...], at: range, server), 400, "BLOB_UPLOAD_INVALID")
            let put = try await server.ask(
                "PUT",
                "\(location)?digest=\(digest)",
                headers: [("Content-Range", range)],
                body: bytes
            )
            expect(put, 400, "BLOB_UPLOAD_INVALID")
            try await expectHeld(0, location, server)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes).status == 201)
        }
    }

    @Test(arguments: ["0-8", "0-10"])
    func `a range that disagrees with the length is refused and changes nothing`(range: String) async throws {
        let (bytes, _) = try content(10)
        try await withServer { server in
            let location = try await server.openUpload()
            expect(try await patch(location, bytes[...], at: range, server), 400, "SIZE_INVALID")
            try await expectHeld(0, location, server)
        }
    }

    /// Without a length it shows only when the body has ended, or has gone on for too long.
    @Test(arguments: [5, 9, 11, 300_000])
    func `a chunk that is not as long as its range is refused`(byteCount: Int) async throws {
        let (bytes, digest) = try content(400_000)
        try await withServer { server in
            let location = try await server.openUpload()
            let answer = try await server.ask(
                "PATCH",
                location,
                headers: [("Content-Range", "0-9")],
                body: Array(bytes[..<byteCount]),
                framing: .chunked(of: 100_000)
            )
            expect(answer, 400, "SIZE_INVALID")
            // Whatever was taken of it is where it belongs.
            let status = try await server.status(of: location)
            let range = try #require(status.header("Range")?.wholeMatch(of: /0-([0-9]+)/))
            let end = try #require(Int(range.1))
            let held = end == 0 ? 0 : end + 1
            #expect(held <= min(10, byteCount))
            let rest = HTTPRequest(
                "PUT",
                "\(location)?digest=\(digest)",
                headers: [("Content-Range", "\(held)-\(bytes.count - 1)")],
                body: Array(bytes[held...])
            )
            #expect(try await server.ask(rest).status == 201)
        }
    }

    @Test func `a chunk of no bytes changes nothing`() async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            let location = try await server.openUpload()
            for framing in [HTTPRequest.Framing.length, .chunked(of: 10)] {
                let answer = try await server.ask("PATCH", location, body: [], framing: framing)
                #expect(answer.status == 202 && answer.headers("Range") == ["0-0"])
            }
            #expect(try await server.ask("PATCH", location, body: bytes).headers("Range") == ["0-99"])
            let answer = try await server.ask("PATCH", location, body: [])
            #expect(answer.status == 202 && answer.headers("Range") == ["0-99"])
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
        }
    }
}
