import TestSupport
import Testing

/// A registry with a certificate that nobody but its authority vouches for.
@Suite struct TLSTests {
    private let terminal: Terminal
    private let registry: DockerRegistry
    private let name: String

    init() throws {
        terminal = try Terminal()
        registry = try DockerRegistry(options: .init(usesTLS: true))
        var builder = ImageBuilder(seed: 270)
        try registry.storage.add(try builder.image(), repository: "app", tag: "1")
        name = "\(registry.address)/app:1"
    }

    @Test func `a certificate that is not trusted is refused, and what to do is told`() async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar", "--tls", registry.address)
        expect(
            outcome,
            status: 1,
            errors: """
                error: fetching the manifest of \(name): GET https://\(registry.address)/v2/app/manifests/1: \
                the certificate is not trusted; --ca-file names the CA of a private registry
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `it is trusted with its authority, and taken as it is with --insecure`() async throws {
        let authority = try #require(registry.certificateAuthorityPath)
        for trust in [["--ca-file", authority], ["--insecure", registry.address]] {
            let bundle = ["bundle", name, "-o", "bundle.tar", "--force", "--tls", registry.address] + trust
            let outcome = try await terminal.command(bundle).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
            let target = "https://\(registry.address)"
            for arguments in [
                ["list", target], ["push", "bundle.tar", target], ["verify", "bundle.tar", "--at", target],
            ] {
                let outcome = try await terminal.command(arguments + trust).run()
                #expect(outcome.status == 0, "\(outcome.errorText)")
            }
        }
    }

    @Test func `a registry on loopback is spoken to without TLS unless that is said`() async throws {
        let outcome = try await terminal.drayage("list", registry.address, "--insecure", registry.address)
        #expect(outcome.status == 1)
        #expect(
            outcome.errorText.contains("GET http://\(registry.address)/v2/_catalog answered 400: "),
            "\(outcome.errorText)"
        )
        #expect(
            outcome.errorText.contains("the server speaks TLS there; --tls \(registry.address) says so"),
            "\(outcome.errorText)"
        )
    }

    @Test func `what was said of one host holds for that host alone`() async throws {
        let other = ["--insecure", "localhost", "--insecure", "127.0.0.1"]
        let outcome = try await terminal.command(["list", "https://\(registry.address)"] + other).run()
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("the certificate is not trusted"), "\(outcome.errorText)")
    }

    @Test(arguments: ["--tls", "--plain-http", "--insecure"])
    func `an option about a host takes nothing else`(option: String) async throws {
        for text in ["", "https://registry.site", "registry.site/app", "[::1", "registry.site:x"] {
            let outcome = try await terminal.drayage("list", registry.address, option, text)
            #expect(outcome.status == 64)
            let message = "\(option) takes a registry's host, with its port: \"\(text)\" is none"
            #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        }
        let outcome = try await terminal.drayage("list", registry.address, option, "[::1]:5000", option, "a.example")
        #expect(outcome.errorText.contains("answered 400"), "\(outcome.errorText)")
    }

    @Test func `a host has TLS or not`() async throws {
        let outcome = try await terminal.drayage("list", "a.example", "--tls", "a.example", "--plain-http", "a.example")
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains("a.example is spoken to with TLS or in plain HTTP"), "\(outcome.errorText)")
    }

    @Test func `what a target says of TLS goes before --plain-http`() async throws {
        let options = ["--plain-http", registry.address, "--insecure", registry.address]
        let outcome = try await terminal.command(["list", "https://\(registry.address)"] + options).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }

    @Test func `a file of certificates that cannot be used is named`() async throws {
        try terminal.scratch.write("no certificate", to: "ca.pem")
        expect(
            try await terminal.drayage("list", "https://\(registry.address)", "--ca-file", "ca.pem"),
            status: 1,
            errors: "error: reading the certificates in ca.pem: it is no PEM file of certificates\n"
        )
        expect(
            try await terminal.drayage("list", "https://\(registry.address)", "--ca-file", "none.pem"),
            status: 1,
            errors: "error: reading the certificates in none.pem: there is no such file\n"
        )
    }
}
