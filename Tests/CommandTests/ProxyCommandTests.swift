import Foundation
import OCI
import TestSupport
import Testing

/// A whole way through a proxy, for commands as they are run where nothing else leads out.
@Suite struct ProxyCommandTests {
    private static let password = TestSecrets.user("me").password
    private let terminal: Terminal
    private let proxy: TinyProxy

    init() throws {
        terminal = try Terminal()
        proxy = try TinyProxy(user: ("me", Self.password))
    }

    @Test(arguments: [false, true])
    func `a bundle is made and pushed through a proxy`(usesTLS: Bool) async throws {
        let source = try DockerRegistry(options: .init(usesTLS: usesTLS))
        let target = try DockerRegistry(options: .init(usesTLS: usesTLS))
        var builder = ImageBuilder(seed: 820)
        let image = try builder.image()
        try source.storage.add(image, repository: "app", tag: "1")
        let (from, to) = (
            source.address.replacing("127.0.0.1", with: "0.0.0.0"),
            target.address.replacing("127.0.0.1", with: "2130706433")
        )
        // Each has an authority of its own: the one in a directory of the user's, the other in an option.
        var trust: [String] = []
        if let authority = source.certificateAuthorityPath, let other = target.certificateAuthorityPath {
            for (host, path) in [(from, authority), (to, other)] {
                try terminal.scratch.write(
                    Data(contentsOf: URL(filePath: path)),
                    to: "home/.config/containers/certs.d/\(host)/ca.crt"
                )
            }
        } else {
            trust = ["--plain-http", from, "--plain-http", to]
        }
        let environment = [
            usesTLS ? "HTTPS_PROXY" : "http_proxy": "http://me:\(Self.password)@\(proxy.address)",
            "XDG_CONFIG_HOME": "", "NO_PROXY": "registry.site", "no_proxy": "",
        ]
        for arguments in [
            ["bundle", "\(from)/app:1", "-o", "bundle.tar"], ["push", "bundle.tar", to],
            ["verify", "bundle.tar", "--at", to], ["list", to],
        ] {
            let outcome = try await terminal.command(arguments + ["-v"] + trust, environment: environment).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
            #expect(!(outcome.errorText + outcome.outputText).contains(Self.password))
        }
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == image.digest)
        let asked = proxy.requests
        for host in [from, to] {
            #expect(asked.contains { $0.contains(usesTLS ? "CONNECT \(host) " : " http://\(host)/v2/") }, "\(asked)")
        }
    }

    @Test func `a proxy that cannot be used is told at the start, without its password, where it is needed`()
        async throws
    {
        let environment = ["HTTPS_PROXY": "https://me:\(Self.password)@\(proxy.address)"]
        let near = try ScriptedRegistry(RegistryContent().answer)
        let listed = try await terminal.drayage("list", near.address, environment: environment)
        #expect(listed.status == 0, "\(listed.errorText)")
        let registry = try ScriptedRegistry { _ in Answer(404) }
        let name = registry.address.replacing("127.0.0.1", with: "0.0.0.0")
        let outcome = try await terminal.drayage("list", name, environment: environment)
        expect(
            outcome,
            status: 1,
            errors: """
                error: reading the proxy in HTTPS_PROXY: a proxy that is itself spoken to with TLS is not supported; \
                give http://HOST:PORT

                """
        )
        #expect(registry.requests.isEmpty)
    }
}
