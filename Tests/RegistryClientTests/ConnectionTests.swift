import Foundation
import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct ConnectionTests {
    private func refusal(
        _ registry: String,
        _ configuration: RegistryClient.Configuration = RegistryClient.Configuration.withoutRetries
    ) async throws -> RegistryError {
        let repository = try Repository(registry: registry, path: "app")
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.operation == "listing the tags of")
        #expect(error.subject == repository.description)
        #expect(error.description.contains("listing the tags of \(repository)"))
        #expect(error.concernsWholeRegistry)
        return error
    }

    @Test func `a host without an address is unknown`() async throws {
        let error = try await refusal("registry.invalid")
        #expect(error.code == .unknownHost)
        #expect(error.reason == "registry.invalid has no address")
        #expect(error.request == "GET https://registry.invalid/v2/app/tags/list")
    }

    @Test func `a port on which nothing listens is unreachable`() async throws {
        let address = try ScriptedRegistry.refusingAddress()
        let error = try await refusal(address)
        #expect(error.code == .unreachable)
        #expect(error.reason?.hasSuffix("connection refused") == true)
        #expect(error.request == "GET http://\(address)/v2/app/tags/list")
    }

    @Test(arguments: RegistryKind.allCases)
    func `a registry that speaks plain HTTP, asked with TLS, is told apart`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [registry.address: .https]
        let error = try await refusal(registry.address, configuration)
        #expect(error.code == .noTLS)
        #expect(
            error.reason
                == "the server does not speak TLS there; --plain-http \(registry.address) says that it need not"
        )
    }

    @Test func `a server that answers no handshake is given up after the time-out`() async throws {
        // It takes the handshake for a request whose end has not come yet.
        let registry = try ScriptedRegistry(RegistryContent().answer)
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [registry.address: .https]
        configuration.connectTimeout = .milliseconds(300)
        let error = try await refusal(registry.address, configuration)
        #expect(error.code == .unreachable)
        #expect(error.reason != nil)
        #expect(registry.requests.isEmpty)
    }

    @Test func `a server that ends the connection instead of a handshake is no TLS either`() async throws {
        let registry = try ScriptedRegistry { _ in Answer() }
        registry.stop()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [registry.address: .https]
        #expect(try await refusal(registry.address, configuration).code == .unreachable)
    }

    @Test func `a certificate that nobody vouches for is not trusted`() async throws {
        let registry = try await Self.server()
        var configuration = registry.configuration()
        configuration.caFile = nil
        let error = try await refusal(registry.address, configuration)
        #expect(error.code == .untrustedCertificate)
        #expect(error.description.contains("--ca-file"))
    }

    @Test func `a certificate of another authority is not trusted`() async throws {
        let (registry, other) = (try await Self.server(), try await Self.server())
        var configuration = registry.configuration()
        configuration.caFile = other.certificateAuthorityPath
        #expect(try await refusal(registry.address, configuration).code == .untrustedCertificate)
    }

    @Test func `the file of the authority makes its certificates trusted`() async throws {
        let registry = try await Self.server()
        let repository = try Repository(registry: registry.address, path: "app")
        let tags = try await withClient(registry.configuration()) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }

    @Test func `a certificate of another host is not trusted, though its authority is`() async throws {
        // No name has 127.0.0.2.
        let registry = try await Self.server(on: "127.0.0.2")
        var configuration = registry.configuration()
        let error = try await refusal(registry.address, configuration)
        #expect(error.code == .untrustedCertificate)
        #expect(error.reason == "it belongs to another host")
        configuration.insecureRegistries = [registry.address]
        let repository = try Repository(registry: registry.address, path: "app")
        let tags = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }

    @Test func `without verification any certificate will do`() async throws {
        let registry = try await Self.server()
        var configuration = registry.configuration()
        configuration.caFile = nil
        configuration.insecureRegistries = [registry.address]
        let repository = try Repository(registry: registry.address, path: "app")
        let tags = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }

    /// A bad file is an error before the first request, whatever the registries are.
    @Test func `a file of certificates that is none is told at the start`() async throws {
        let scratch = try ScratchDirectory()
        let empty = try scratch.write("", to: "empty.pem")
        let text = try scratch.write("no certificate", to: "text.pem")
        let broken = try scratch.write(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            to: "broken.pem"
        )
        let key = try TestCertificate.make(in: scratch).keyPath
        let missing = scratch.path("missing.pem")
        for path in [missing, empty, text, broken, key, scratch.path] {
            var configuration = RegistryClient.Configuration.withoutRetries
            configuration.caFile = path
            let error = try #require(
                await #expect(throws: TrustError.self) {
                    try await withClient(configuration) { _ in Issue.record("the client was made with \(path)") }
                }
            )
            #expect(error.path == path)
            #expect(error.description.hasPrefix("reading the certificates in \(path): "))
            #expect(error.reason.contains("no such file") == (path == missing))
        }
    }

    /// The first four wait for one another; whatever comes on top of them would be seen.
    @Test func `no more requests are in flight to a registry than the limit says`() async throws {
        let condition = NSCondition()
        nonisolated(unsafe) var arrived = 0
        let registry = try ScriptedRegistry { _ in
            condition.withLock {
                arrived += 1
                condition.broadcast()
                while arrived < 4 { condition.wait() }
            }
            return .text(#"{"tags":[]}"#)
        }
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.requestLimit = 4
        try await withClient(configuration) { client in
            // The first request is alone until it is known what the registry asks for.
            arrived = 3
            _ = try await client.tags(of: try registry.repository())
            condition.withLock { arrived = 0 }
            try await withThrowingTaskGroup { group in
                for number in 0..<40 {
                    let repository = try registry.repository("app\(number)")
                    group.addTask { _ = try await client.tags(of: repository) }
                }
                try await group.waitForAll()
            }
        }
        #expect(registry.peakConcurrency == 4)
        #expect(registry.requests.count == 41)
    }

    /// A registry with a certificate for 127.0.0.1, and the tag 1 in it.
    private static func server(on host: String = "127.0.0.1") async throws -> EmbeddedRegistry {
        let registry = try await EmbeddedRegistry(options: .init(usesTLS: true), host: host)
        var builder = ImageBuilder()
        try registry.add(try builder.image(), "app")
        return registry
    }
}
