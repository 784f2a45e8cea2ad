import Foundation
import RegistryClient
import TestSupport

/// A server that speaks TLS and answers each path with a response that was written before: `openssl s_server -HTTP`.
///
/// It ends with the value.
final class StaticTLSServer: Sendable {
    /// `127.0.0.1:` and the port.
    let address: String
    /// What a client must trust to trust it.
    let certificateAuthorityPath: String

    private let scratch: ScratchDirectory
    private let server: RunningCommand

    /// Starts to serve.
    ///
    /// - Parameter responses: the answers by their paths without the first slash; only GET is answered.
    /// - Throws: what stands in the way of the server.
    init(_ responses: [String: Answer]) throws {
        scratch = try ScratchDirectory()
        let certificate = try TestCertificate.make(in: scratch)
        certificateAuthorityPath = certificate.authorityPath
        for (path, answer) in responses {
            var head = "HTTP/1.1 \(answer.status) Scripted\r\nContent-Length: \(answer.body.count)\r\n"
            for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
            try scratch.write(Array((head + "\r\n").utf8) + answer.body, to: "root/" + path)
        }
        try scratch.write("", to: "root/log")
        server = try Command(
            "sh",
            [
                // It takes the time-out's signal, or ours, with it: nothing is left running.
                "-c", "exec timeout 120 openssl s_server -accept \"$0:0\" -HTTP -cert \"$1\" -key \"$2\" >log 2>&1",
                "127.0.0.1", certificate.certificatePath, certificate.keyPath,
            ],
            directory: scratch.path("root")
        ).start()
        address = "127.0.0.1:\(try Self.port(scratch, server))"
    }

    deinit { server.signal(SIGTERM) }

    /// A configuration that trusts the server and speaks TLS to it.
    func configuration(
        _ configuration: RegistryClient.Configuration = signedIn()
    ) -> RegistryClient.Configuration {
        var configuration = configuration
        configuration.schemes = [address: .https]
        configuration.caFile = certificateAuthorityPath
        return configuration
    }

    private static func port(_ scratch: ScratchDirectory, _ server: RunningCommand) throws -> String {
        while !server.hasEnded {
            let log = String(decoding: try scratch.read("root/log"), as: UTF8.self)
            if let found = log.firstMatch(of: /ACCEPT [0-9.]+:([0-9]+)\n/) { return String(found.1) }
            sched_yield()
        }
        throw SystemError("starting openssl s_server")
    }
}
