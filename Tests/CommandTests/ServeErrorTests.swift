import Foundation
import TestSupport
import Testing

/// What cannot be served: one line that helps, no address, no change.
///
/// One after the other: a directory is one server's at a time, also of one that will not listen.
@Suite(.serialized) struct ServeErrorTests {
    private let terminal: Terminal

    init() throws { terminal = try Self.shared.get() }

    /// Made once, as nothing in it may change: `empty`, `registry` with a registry in it, `junk`, `layout`, `text`,
    /// `half.tar`; a certificate and users, good and bad.
    private static let shared = Result<Terminal, any Error> {
        let terminal = try Terminal()
        let scratch = terminal.scratch
        for name in ["empty", "registry/docker/registry/v2/repositories", "registry/docker/registry/v2/blobs"] {
            try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
        }
        try scratch.write("something", to: "junk/file")
        try scratch.write(#"{"imageLayoutVersion":"1.0.0"}"#, to: "layout/oci-layout")
        try scratch.write("no bundle", to: "text")
        _ = try TestCertificate.make(in: scratch)
        try scratch.write("no certificate", to: "bad.pem")
        try scratch.write("ship:$apr1$Xk2jC4Wd$0sNhn0wCWkQ8Zr8bHhmYy1\n", to: "apr1.users")
        try scratch.write("# nobody yet\n", to: "no.users")
        try scratch.write("ship:$2y$05$Kf9oqzrMWlE1\n", to: "cut.users")
        var builder = ImageBuilder(seed: 710)
        let source = try Source()
        let name = try source.add(builder.image(), "app")
        try terminal.command(["bundle", name, "-o", "bundle.tar"]).check()
        try scratch.write(try scratch.read("bundle.tar").dropLast(4000), to: "half.tar")
        return terminal
    }

    /// What is given, the exit code, and what the one line begins with or has in it.
    private static let refusals: [([String], Int32, String)] = [
        // What is not there, or is something else.
        (["missing"], 64, "there is no missing; name bundles, or make that directory for a new registry"),
        (["text"], 1, "reading text: it is no tar file"),
        (["half.tar"], 3, "half.tar"),
        (["junk"], 1, "opening junk: it is not empty, and holds no registry"),
        (["layout"], 1, "reading layout: it is no OCI image layout: it has no index.json"),
        (
            ["registry/docker/registry"], 1,
            "it is a part of a registry; name the registry's own directory, "
        ),
        // What does not go together.
        (["empty", "bundle.tar"], 64, "a directory is served alone, not beside other things: empty"),
        (["bundle.tar", "empty"], 64, "a directory is served alone, not beside other things: empty"),
        (["empty", "--prefix", "mirror"], 64, "--prefix and --keep-host are for bundles; empty is a directory"),
        (["empty", "--keep-host"], 64, "--prefix and --keep-host are for bundles; empty is a directory"),
        (["bundle.tar", "--prefix", "Mirror"], 64, "\"Mirror\" is no prefix for a repository"),
        // Where it cannot listen.
        (["empty", "--listen", "256.0.0.1:0"], 1, "listening at 256.0.0.1:0: "),
        (["empty", "--listen", "192.0.2.77:0"], 1, "listening at 192.0.2.77:0: cannot assign requested address"),
        // Certificates and users.
        (
            ["empty", "--tls-cert", "none.pem", "--tls-key", "server.key"], 1,
            "reading the certificate none.pem: no such file or directory"
        ),
        (
            ["empty", "--tls-cert", "bad.pem", "--tls-key", "server.key"], 1,
            "reading the certificate bad.pem: it holds none in PEM"
        ),
        (
            ["empty", "--tls-cert", "server.pem", "--tls-key", "none.key"], 1,
            "reading the key none.key: no such file or directory"
        ),
        (
            ["empty", "--tls-cert", "server.pem", "--tls-key", "bad.pem"], 1,
            "reading the key bad.pem: it holds none in PEM, or not the one of the certificate"
        ),
        (
            ["empty", "--tls-cert", "server.pem", "--tls-key", "ca.key"], 1,
            "reading the key ca.key: it holds none in PEM, or not the one of the certificate"
        ),
        (["empty", "--htpasswd", "none"], 1, "reading the users of none: opening it: no such file or directory"),
        (["empty", "--htpasswd", "junk"], 1, "reading the users of junk: it is no file"),
        (["empty", "--htpasswd", "no.users"], 1, "reading the users of no.users: it names nobody; add a user with "),
        (
            ["empty", "--htpasswd", "apr1.users"], 1,
            "reading the users of apr1.users, line 1: the password of \"ship\" is not hashed with bcrypt; set it again"
        ),
        (
            ["empty", "--htpasswd", "cut.users"], 1,
            "reading the users of cut.users, line 1: the hash of \"ship\" is cut"
        ),
    ]

    /// Runs what should not serve, and not for ever if it does.
    private func run(_ arguments: [String]) async throws -> Outcome {
        var command = terminal.command(["serve"] + arguments)
        command.arguments = ["60", command.tool] + command.arguments
        command.tool = "timeout"
        return try await command.run()
    }

    @Test(arguments: refusals)
    func `what cannot be served is told in one line`(arguments: [String], status: Int32, reason: String) async throws {
        let before = try terminal.scratch.snapshot()
        let outcome = try await run(["--listen", "127.0.0.1:0"] + arguments)
        #expect(outcome.status == status)
        #expect(outcome.outputText == "")
        #expect(outcome.errorText.hasPrefix("error: "), "\(outcome.errorText)")
        #expect(outcome.errorText.contains(reason), "\(outcome.errorText)")
        #expect(outcome.errorText.split(separator: "\n").count == 1, "\(outcome.errorText)")
        // No hash of a password is shown.
        #expect(!outcome.errorText.contains("$"))
        #expect(try terminal.scratch.snapshot() == before)
    }

    /// A command line that is wrong as it stands, and what is said of it.
    @Test(arguments: [
        ([], "Missing expected argument '<paths> ...'"),
        (["empty", "--listen", "5000"], "The value '5000' is invalid for '--listen "),
        (["empty", "--listen", ":5000"], "The value ':5000' is invalid for '--listen "),
        (["empty", "--listen", "::1:5000"], "The value '::1:5000' is invalid"),
        (["empty", "--listen", "127.0.0.1:65536"], "The value '127.0.0.1:65536' is invalid"),
        (["empty", "--upload-expiry", "5"], "The value '5' is invalid for '--upload-expiry "),
        (["empty", "--upload-expiry", "-5m"], "--upload-expiry"),
        (["empty", "--tls-cert", "server.pem"], "--tls-cert and --tls-key go together"),
        (["empty", "--tls-key", "server.key"], "--tls-cert and --tls-key go together"),
        (["empty", "--anonymous-read"], "--anonymous-read needs --htpasswd"),
        (
            ["empty", "--htpasswd", "users", "--allow-anonymous-write"],
            "--allow-anonymous-write and --htpasswd exclude each other"
        ),
    ])
    func `a command line that is wrong ends with 64 and says why`(arguments: [String], reason: String) async throws {
        let outcome = try await run(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.outputText == "")
        #expect(outcome.errorText.contains(reason), "\(outcome.errorText)")
        #expect(try terminal.scratch.names(in: "empty") == [])
    }

    @Test func `a port and a directory are one server's at a time`() async throws {
        let server = try ServeProcess(terminal, ["registry"])
        let port = try await run(["empty", "--listen", server.address])
        let inUse = "address already in use; end what listens there, or choose another port"
        expect(port, status: 1, errors: "error: listening at \(server.address): \(inUse)\n")
        let directory = try await run(["registry", "--listen", "127.0.0.1:0"])
        let locked = "it is in use by another drayage, which has to end first"
        expect(directory, status: 1, errors: "error: opening registry: \(locked)\n")
        // Both are free when it is gone.
        #expect(server.end() == 0)
        let next = try ServeProcess(terminal, ["registry", "--listen", server.address])
        #expect(next.address == server.address)
    }
}
