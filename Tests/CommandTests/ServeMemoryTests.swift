import Foundation
import OCI
import TestSupport
import Testing

/// A server's memory depends on how much is moved at once, not on how large a blob is.
@Suite(.disabled(if: Sanitizer.current != nil, "the memory is mostly the sanitizer's")) struct ServeMemoryTests {
    /// The most memory of a server that takes a blob in both ways and gives it out, in plain HTTP or over TLS.
    private func peak(byteCount: Int64, tls: Bool) async throws -> Int64 {
        let terminal = try Terminal()
        let path = terminal.scratch.path("layer")
        var builder = ImageBuilder(seed: 760)
        let layer = try builder.largeLayer(byteCount: byteCount, at: path)
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
        var (arguments, trust) = (["registry"], [String]())
        if tls {
            let files = try TestCertificate.make(in: terminal.scratch)
            arguments += ["--tls-cert", files.certificatePath, "--tls-key", files.keyPath]
            trust = ["--cacert", files.authorityPath]
        }
        let server = try ServeProcess(terminal, arguments)
        let base = "\(tls ? "https" : "http")://\(server.address)"
        func curl(_ arguments: String...) async throws -> Outcome {
            let outcome = try await Command("curl", ["-sS", "--fail-with-body"] + trust + arguments).run()
            #expect(outcome.status == 0, "\(outcome.outputText) \(outcome.errorText)")
            return outcome
        }
        func session() async throws -> String {
            let head = try await curl("-i", "-X", "POST", "\(base)/v2/large/blobs/uploads/").outputText
            return base + (try #require(head.firstMatch(of: /(?i)\r\nlocation: ([^\r]*)\r\n/)?.1))
        }
        // In a piece that does not say how long it is, with an empty last one; then whole, in what ends the session.
        let pieces = try await session()
        _ = try await curl("-T", path, "-X", "PATCH", "-H", "Transfer-Encoding: chunked", pieces)
        _ = try await curl("-X", "PUT", "\(pieces)?digest=\(layer.digest)")
        _ = try await curl("-T", path, "\(try await session())?digest=\(layer.digest)")
        _ = try await curl("-o", terminal.scratch.path("back"), "\(base)/v2/large/blobs/\(layer.digest)")
        let back = try Data(contentsOf: URL(fileURLWithPath: terminal.scratch.path("back")), options: .alwaysMapped)
        #expect(try Digest.of(back) == layer.digest)
        let peak = try server.peakByteCount()
        #expect(server.end() == 0)
        return peak
    }

    @Test(arguments: [false, true])
    func `a large blob takes no more memory than a small one, and little of it`(tls: Bool) async throws {
        let small = try await peak(byteCount: 16 << 20, tls: tls)
        let large = try await peak(byteCount: 256 << 20, tls: tls)
        #expect(large < 64 << 20, "\(small) \(large)")
        #expect(large - small < 32 << 20, "\(small) \(large)")
    }
}
