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
        for trust in [["--ca-file", authority], ["--insecure"]] {
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
        let outcome = try await terminal.drayage("list", registry.address, "--insecure")
        #expect(outcome.status == 1)
        #expect(
            outcome.errorText.contains("GET http://\(registry.address)/v2/_catalog answered 400: "),
            "\(outcome.errorText)"
        )
    }

    @Test func `what a target says of TLS goes before --plain-http`() async throws {
        let outcome = try await terminal.drayage("list", "https://\(registry.address)", "--plain-http", "--insecure")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let bundle = try await terminal.drayage(
            "bundle",
            name,
            "-o",
            "bundle.tar",
            "--plain-http",
            "--insecure",
            "--tls",
            registry.address
        )
        #expect(bundle.status == 0, "\(bundle.errorText)")
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
