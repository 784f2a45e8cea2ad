import OCI
import TestSupport
import Testing

/// Spec: distribution "Mounting a blob from another repository".
@Suite struct MountTests {
    private func mount(_ digest: Digest, from source: String?, to target: String = "to/here", _ server: TestServer)
        async throws -> HTTPAnswer
    {
        let parameter = source.map { "&from=\($0)" } ?? ""
        return try await server.ask("POST", "/v2/\(target)/blobs/uploads/?mount=\(digest)\(parameter)")
    }

    /// Expects that in place of a mount a session was opened, and that the blob can be sent to it.
    private func expectSession(_ answer: HTTPAnswer, _ bytes: [UInt8], _ digest: Digest, _ server: TestServer)
        async throws
    {
        #expect(answer.status == 202)
        let location = try #require(answer.header("Location"))
        #expect(try await server.ask("HEAD", "/v2/to/here/blobs/\(digest)").status == 404)
        let put = try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes)
        #expect(put.status == 201)
        #expect(try await server.ask("GET", try #require(put.header("Location"))).body == bytes)
    }

    /// Without a source any repository's will do; escapes in the parameter are taken away.
    @Test(arguments: ["from/there", "from%2Fthere", nil], Digest.Algorithm.allCases)
    func `a blob is mounted`(source: String?, algorithm: Digest.Algorithm) async throws {
        let (bytes, digest) = try content(1000, algorithm)
        try await withServer { server in
            try await server.push(bytes, to: "from/there", algorithm: algorithm)
            let answer = try await mount(digest, from: source, server)
            #expect(answer.status == 201)
            #expect(answer.headers("Docker-Content-Digest") == [digest.description])
            #expect(answer.headers("Location") == ["/v2/to/here/blobs/\(digest)"])
            #expect(try await server.ask("GET", "/v2/to/here/blobs/\(digest)").body == bytes)
            #expect(server.storage.unfinishedUploads(repository: "to/here").isEmpty)
            // The one does not need the other.
            #expect(try await server.ask("DELETE", "/v2/from/there/blobs/\(digest)").status == 202)
            #expect(try await server.ask("GET", "/v2/to/here/blobs/\(digest)").body == bytes)
            #expect(try await server.ask("HEAD", "/v2/from/there/blobs/\(digest)").status == 404)
        }
    }

    @Test func `a blob that is there already is mounted once more`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2], to: "to/here")
            for source in ["to/here", nil, "to/here"] {
                #expect(try await mount(digest, from: source, server).status == 201)
            }
            #expect(try await server.ask("GET", "/v2/to/here/blobs/\(digest)").body == [1, 2])
        }
    }

    /// Sources that have no such blob: without it, unknown, and names that none can have.
    @Test(arguments: ["empty", "nowhere", "", "UPPER", "../from/there", "from/there/", "%2e%2e%2ffrom"])
    func `what cannot be mounted is to be sent`(source: String) async throws {
        let (bytes, digest) = try content(1000)
        try await withServer { server in
            try await server.push(bytes, to: "from/there")
            try await server.push([1], to: "empty")
            let answer = try await mount(digest, from: source, server)
            try await expectSession(answer, bytes, digest, server)
        }
    }

    @Test func `what nobody has is to be sent`() async throws {
        let (bytes, digest) = try content(1000)
        try await withServer { server in
            let answer = try await mount(digest, from: nil, server)
            try await expectSession(answer, bytes, digest, server)
        }
    }

    @Test func `a digest that is none cannot be mounted`() async throws {
        try await withServer { server in
            for text in ["sha256:abc", "", "latest"] {
                let answer = try await server.ask("POST", "/v2/app/blobs/uploads/?mount=\(text)&from=other")
                expect(answer, 400, "DIGEST_INVALID", "\(text)")
            }
        }
    }

    /// Its bytes are a blob of the directory, but no repository has it as one.
    @Test func `a blob that was deleted from its repository cannot be mounted from there`() async throws {
        let (bytes, digest) = try content(1000)
        try await withServer { server in
            try await server.push(bytes, to: "from")
            #expect(try await server.ask("DELETE", "/v2/from/blobs/\(digest)").status == 202)
            let answer = try await mount(digest, from: "from", server)
            try await expectSession(answer, bytes, digest, server)
        }
    }
}
