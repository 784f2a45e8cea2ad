import Foundation
import TestSupport
import Testing

/// Certificates where docker and podman have them, for commands.
@Suite struct CertificateCommandTests {
    private let terminal: Terminal
    private let registry: DockerRegistry

    init() throws {
        terminal = try Terminal()
        registry = try DockerRegistry(options: .init(usesTLS: true))
        var builder = ImageBuilder(seed: 830)
        try registry.storage.add(try builder.image(), repository: "app", tag: "1")
    }

    private var authority: Data {
        get throws { try Data(contentsOf: URL(filePath: try #require(registry.certificateAuthorityPath))) }
    }

    @Test(arguments: [
        ("home/.config", ["XDG_CONFIG_HOME": ""]), ("xdg", ["XDG_CONFIG_HOME": "xdg"]),
    ])
    func `the authority in the user's folder is trusted`(folder: String, environment: [String: String]) async throws {
        let environment = environment.mapValues { $0.isEmpty ? "" : terminal.scratch.path($0) }
        try terminal.scratch.write(authority, to: "\(folder)/containers/certs.d/\(registry.address)/ca.crt")
        let target = "https://\(registry.address)"
        let outcome = try await terminal.drayage("list", target, environment: environment)
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }

    @Test func `the file that the environment names is trusted`() async throws {
        try terminal.scratch.write(authority, to: "ca.pem")
        let target = "https://\(registry.address)"
        let outcome = try await terminal.drayage("list", target, environment: ["SSL_CERT_FILE": "ca.pem"])
        #expect(outcome.status == 0, "\(outcome.errorText)")
        expect(
            try await terminal.drayage("list", target, environment: ["SSL_CERT_FILE": "none.pem"]),
            status: 1,
            errors: "error: reading the certificates in none.pem, which SSL_CERT_FILE names: there is no such file\n"
        )
    }

    /// Docker's folder is often the system's alone.
    @Test func `a directory that may not be read is passed over`() async throws {
        let folder = "home/.config/containers/certs.d/\(registry.address)"
        try terminal.scratch.write("nothing", to: "\(folder)/ca.crt")
        try terminal.scratch.write(authority, to: "ca.pem")
        chmod(terminal.scratch.path(folder), 0)
        defer { chmod(terminal.scratch.path(folder), 0o755) }
        var command = terminal.command(
            ["list", "https://\(registry.address)", "--ca-file", "ca.pem"],
            environment: ["XDG_CONFIG_HOME": ""]
        )
        if geteuid() == 0 {
            // Root may read everything, but for this.
            command.arguments =
                ["--bounding-set", "-dac_override,-dac_read_search", command.tool] + command.arguments
            command.tool = "setpriv"
        }
        let outcome = try await command.run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }

    /// Another registry is asked first, and has nothing to fear.
    @Test func `a broken file of one of the registries is told before any is asked`() async throws {
        let other = try Source()
        var builder = ImageBuilder(seed: 831)
        let open = try other.add(builder.image(), "app")
        let folder = "home/.config/containers/certs.d/\(registry.address)"
        let path = try terminal.scratch.write("nothing", to: "\(folder)/client.cert")
        let outcome = try await terminal.drayage(
            "bundle",
            open,
            "\(registry.address)/app:1",
            "-o",
            "bundle.tar",
            "--tls",
            registry.address,
            environment: ["XDG_CONFIG_HOME": ""]
        )
        expect(
            outcome,
            status: 1,
            errors: """
                error: reading the certificates in \(path): its key is missing; put it beside it as client.key, or name \
                an authority *.crt

                """
        )
        #expect(other.registry.requests.isEmpty)
        #expect(try terminal.scratch.names() == ["home"])
    }

    @Test(arguments: [false, true])
    func `registries at IPv6 addresses are bundled from and pushed to`(usesTLS: Bool) async throws {
        let source = try DockerRegistry(options: .init(usesTLS: usesTLS, host: "[::1]"))
        var builder = ImageBuilder(seed: 832)
        let name = try source.add(try builder.image(), "app")
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
        let server = try ServeProcess(terminal, ["registry", "--listen", "[::1]:0"])
        try #require(source.address.hasPrefix("[::1]:") && server.address.hasPrefix("[::1]:"))
        let trust = usesTLS ? ["--tls", source.address, "--ca-file", source.certificateAuthorityPath ?? ""] : []
        for arguments in [
            ["bundle", name, "-o", "bundle.tar"] + trust, ["push", "bundle.tar", server.address],
            ["verify", "bundle.tar", "--at", server.address],
            ["bundle", "\(server.address)/app:1", "-o", "back.tar"], ["push", "back.tar", source.address] + trust,
        ] {
            let outcome = try await terminal.command(arguments).run()
            #expect(outcome.status == 0, "\(arguments): \(outcome.errorText)")
        }
        // Of two things that were said of it, the one that is not verified is this host's, by its address.
        guard usesTLS else { return }
        let options = ["--tls", source.address, "--insecure", source.address]
        let outcome = try await terminal.command(["list", source.address] + options).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }
}
