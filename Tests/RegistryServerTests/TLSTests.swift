import RegistryServer
import TestSupport
import Testing

/// The server with a certificate, asked by curl.
@Suite(.tags(.interop)) struct TLSTests {
    private let keys: ScratchDirectory
    private let certificate: TestCertificate

    init() throws {
        keys = try ScratchDirectory()
        certificate = try TestCertificate.make(in: keys)
    }

    private var configuration: RegistryServer.Configuration {
        .with { $0.tls = .init(certificatePath: certificate.certificatePath, keyPath: certificate.keyPath) }
    }

    private func curl(_ arguments: [String], input: [UInt8] = []) async throws -> Outcome {
        try await Command("curl", ["-sS", "--max-time", "60"] + arguments, input: input).run()
    }

    @Test func `blobs go in and out`() async throws {
        let (bytes, digest) = try content((5 << 20) + 7)
        try await withServer(configuration) { server in
            let base = "https://\(server.address)/v2/app/blobs"
            let trusted = ["--cacert", certificate.authorityPath]
            // curl waits to be told to send what is of that size.
            let put = ["-f", "-X", "POST", "-H", "Content-Type: application/octet-stream", "--data-binary", "@-"]
            let pushed = try await curl(trusted + put + ["\(base)/uploads/?digest=\(digest)"], input: bytes)
            #expect(pushed.status == 0, "\(pushed.errorText)")
            let pulled = try await curl(trusted + ["-f", "\(base)/\(digest)"])
            #expect(pulled.status == 0, "\(pulled.errorText)")
            expectEqual(pulled.output, bytes)
            let part = try await curl(trusted + ["-f", "-r", "1000000-3000000", "\(base)/\(digest)"])
            expectEqual(part.output, Array(bytes[1_000_000...3_000_000]))
            let head = try await curl(trusted + ["-f", "-I", "\(base)/\(digest)"])
            #expect(head.outputText.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(head.outputText.lowercased().contains("content-length: \(bytes.count)\r\n"))
            let version = try await curl(trusted + ["-f", "--tls-max", "1.1", "https://\(server.address)/v2/"])
            #expect(version.status == 35)
        }
    }

    @Test func `who does not trust the authority, or speaks no TLS, is not served`() async throws {
        try await withServer(configuration) { server in
            #expect(try await curl(["https://\(server.address)/v2/"]).status == 60)
            // Closed, without a word that could be taken for an answer.
            #expect(try await curl(["http://\(server.address)/v2/"]).status != 0)
            let trusted = try await curl(["--cacert", certificate.authorityPath, "https://\(server.address)/v2/"])
            #expect(trusted.outputText == "{}")
        }
    }

    @Test func `connections that never begin TLS, or go silent in it, are closed`() async throws {
        var configuration = configuration
        configuration.idleTimeout = .milliseconds(300)
        try await withServer(configuration) { server in
            let (silent, half) = (try server.connect(), try server.connect())
            try await half.send([0x16, 3, 1, 2, 0, 1, 0])
            for connection in [silent, half] {
                do { _ = try await connection.receiveRest() } catch let error as HTTPConnectionError {
                    if case .timedOut = error.code { throw error }
                }
            }
            let after = try await curl(["--cacert", certificate.authorityPath, "https://\(server.address)/v2/"])
            #expect(after.outputText == "{}")
        }
    }

    @Test func `a certificate or a key that cannot be used stops the server before it listens`() async throws {
        try keys.write("nonsense", to: "bad.pem")
        let (good, key) = (certificate.certificatePath, certificate.keyPath)
        let (bad, missing) = (keys.path("bad.pem"), keys.path("missing.pem"))
        for (certificate, key) in [
            (bad, key), (missing, key), (good, bad), (good, missing), (good, keys.path("ca.key")),
        ] {
            let error = await #expect(throws: ServerError.self) {
                try await withServer(.with { $0.tls = .init(certificatePath: certificate, keyPath: key) }) { _ in
                    Issue.record("it listens")
                }
            }
            switch error?.code {
            case .certificate(let path): #expect(path == certificate && certificate != good)
            case .privateKey(let path): #expect(path == key && certificate == good)
            default: Issue.record("\(String(describing: error))")
            }
        }
    }
}
