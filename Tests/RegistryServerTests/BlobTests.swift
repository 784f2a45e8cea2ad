import OCI
import TestSupport
import Testing

/// Spec: distribution "Pulling blobs", RFC 9110 "Conditional Requests".
@Suite struct BlobTests {
    /// Sizes about the limits of one write to a socket, and nothing at all.
    @Test(arguments: [0, 1, 1000, (512 << 10) - 1, 512 << 10, (3 << 20) + 17], Digest.Algorithm.allCases)
    func `a blob is given out whole`(byteCount: Int, algorithm: Digest.Algorithm) async throws {
        let (bytes, digest) = try content(byteCount, algorithm)
        try await withServer { server in
            #expect(try await server.push(bytes, to: "some/app", algorithm: algorithm) == digest)
            let connection = try server.connect()
            for method in ["HEAD", "GET", "HEAD"] {
                let answer = try await connection.ask(HTTPRequest(method, "/v2/some/app/blobs/\(digest)"))
                #expect(answer.status == 200)
                #expect(answer.headers("Content-Length") == [String(byteCount)])
                #expect(answer.headers("Content-Type") == ["application/octet-stream"])
                #expect(answer.headers("Docker-Content-Digest") == [digest.description])
                #expect(answer.headers("ETag") == ["\"\(digest)\""])
                #expect(answer.headers("Accept-Ranges") == ["bytes"])
                #expect(answer.headers("Content-Encoding").isEmpty)
                expectEqual(answer.body, method == "GET" ? bytes : [])
            }
        }
    }

    @Test func `a compressed blob is not unpacked, and is not packed for who takes it packed`() async throws {
        let bytes = try Gzip.compress([UInt8](repeating: 7, count: 10_000))
        try await withServer { server in
            let digest = try await server.push(bytes)
            let answer = try await server.ask("GET", "/v2/app/blobs/\(digest)", headers: [("Accept-Encoding", "gzip")])
            #expect(answer.body == bytes)
            #expect(answer.headers("Content-Encoding").isEmpty)
        }
    }

    @Test func `a blob that is not in the repository is not found there`() async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            for method in ["GET", "HEAD"] {
                let answer = try await server.ask(method, "/v2/nowhere/blobs/\(digest)")
                #expect(answer.status == 404)
            }
            try await server.push(bytes, to: "other")
            try await server.push([1], to: "app")
            expect(try await server.ask("GET", "/v2/app/blobs/\(digest)"), 404, "BLOB_UNKNOWN")
            expect(try await server.ask("GET", "/v2/nowhere/blobs/\(digest)"), 404, "BLOB_UNKNOWN")
            // The same bytes by another algorithm are another blob.
            let other = try Digest.of(bytes, algorithm: .sha512)
            expect(try await server.ask("GET", "/v2/other/blobs/\(other)"), 404, "BLOB_UNKNOWN")
            #expect(try await server.ask("GET", "/v2/other/blobs/\(digest)").body == bytes)
        }
    }

    @Test(arguments: [
        "sha256:", "sha256:abc", "sha256:" + String(repeating: "A", count: 64),
        "sha256:" + String(repeating: "a", count: 63) + "g", "sha256:" + String(repeating: "a", count: 65),
        "md5:d41d8cd98f00b204e9800998ecf8427e", "sha384:" + String(repeating: "a", count: 96),
        "sha512:" + String(repeating: "a", count: 64), "latest", ":", "sha256", "",
        "sha256:" + String(repeating: "a", count: 64) + "%00", "%73ha256:",
    ])
    func `what is no digest is refused as such`(text: String) async throws {
        try await withServer { server in
            for method in ["GET", "DELETE"] {
                expect(try await server.ask(method, "/v2/app/blobs/\(text)"), 400, "DIGEST_INVALID")
            }
            let head = try await server.ask("HEAD", "/v2/app/blobs/\(text)")
            #expect(head.status == 400)
        }
    }

    @Test func `a digest may be percent-encoded`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2, 3])
            let path = "/v2/app/blobs/sha256%3a\(digest.hex)"
            #expect(try await server.ask("GET", path).body == [1, 2, 3])
        }
    }

    @Test func `who has the blob is told so and not given it again`() async throws {
        try await withServer { server in
            let digest = try await server.push(Array("layer".utf8))
            let other = try Digest.of([9])
            let connection = try server.connect()
            // Spec: RFC 9110 "If-None-Match": a list, weak comparison, and the star.
            let table: [(tag: String, status: Int)] = [
                ("\"\(digest)\"", 304), ("W/\"\(digest)\"", 304), ("*", 304), ("\"\(other)\", \"\(digest)\"", 304),
                ("\"\(other)\"", 200), ("\"\"", 200),
            ]
            for (tag, status) in table {
                for method in ["GET", "HEAD"] {
                    let request = HTTPRequest(method, "/v2/app/blobs/\(digest)", headers: [("If-None-Match", tag)])
                    let answer = try await connection.ask(request)
                    #expect(answer.status == status, "\(tag)")
                    #expect(answer.headers("ETag") == ["\"\(digest)\""])
                    #expect(answer.text == (status == 200 && method == "GET" ? "layer" : ""))
                }
            }
            let missing = try await server.ask("GET", "/v2/app/blobs/\(other)", headers: [("If-None-Match", "*")])
            expect(missing, 404, "BLOB_UNKNOWN")
        }
    }
}
