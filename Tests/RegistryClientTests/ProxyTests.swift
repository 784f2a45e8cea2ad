import OCI
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@testable import RegistryClient

/// Requests through real proxies.
///
/// Names of loopback are never reached through one, so the registries have names that only lead there.
@Suite struct ProxyTests {
    private static let secret = TestSecrets.user("me").password

    /// Names that lead to 127.0.0.1 and are none of loopback: an address, and a name for all that know no such addresses.
    static let names = ["0.0.0.0", "2130706433"]

    private func name(_ address: String, _ host: String = "0.0.0.0") -> String {
        address.replacing("127.0.0.1", with: host)
    }

    /// How often something was tried again.
    private let retries = Counter()

    /// A configuration that tries once more, at once.
    private func configuration(_ environment: [String: String]) throws -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration()
        configuration.retryLimit = 1
        configuration.retryClock.sleep = { _ in }
        configuration.onRetry = { [retries] _ in retries.count.withLock { $0 += 1 } }
        configuration.proxies = ProxySettings(environment: environment)
        return configuration
    }

    private func tags(_ registry: String, _ configuration: RegistryClient.Configuration) async throws -> [String] {
        let repository = try Repository(registry: registry, path: "app")
        return try await withClient(configuration) { try await $0.tags(of: repository) }
    }

    private func secureRegistry(
        for certificateNames: [String] = TestCertificate.ownNames
    ) async throws -> EmbeddedRegistry {
        var options = RegistryOptions(usesTLS: true)
        options.certificateNames = certificateNames
        let registry = try await EmbeddedRegistry(options: options)
        var builder = ImageBuilder()
        try registry.add(try builder.image(), "app")
        return registry
    }

    @Test func `plain HTTP goes through a proxy with the whole URL, and its credentials end there`() async throws {
        let registry = try ScriptedRegistry { _ in .text(#"{"tags":["1"]}"#) }
        let proxy = try TinyProxy(user: ("me", Self.secret))
        let name = name(registry.address)
        var configuration = try configuration(["HTTP_PROXY": "http://me:%70\(Self.secret.dropFirst())@\(proxy.address)"]
        )
        configuration.schemes = [name: .http]
        #expect(try await tags(name, configuration) == ["1"])
        #expect(proxy.requests == ["GET http://\(name)/v2/app/tags/list HTTP/1.1"])
        let request = try #require(registry.requests.first)
        #expect(request.line == "GET /v2/app/tags/list")
        #expect(request.header("Host") == name)
        #expect(request.header("Proxy-Authorization") == nil)
    }

    @Test(arguments: ProxyTests.names)
    func `TLS goes through a proxy that connects, and is verified with the registry`(host: String) async throws {
        let registry = try await secureRegistry()
        let proxy = try TinyProxy(user: ("me", Self.secret))
        let name = name(registry.address, host)
        var configuration = try configuration(["https_proxy": "me:\(Self.secret)@\(proxy.address)"])
        #expect(try await failure { try await tags(name, configuration) }.code == .untrustedCertificate)
        configuration.caFile = registry.certificateAuthorityPath
        #expect(try await tags(name, configuration) == ["1"])
        #expect(proxy.requests == ["CONNECT \(name) HTTP/1.1", "CONNECT \(name) HTTP/1.1"])
        // All that comes of a connection goes over it.
        #expect(try await registry.finish().map(\.path) == ["/v2/app/tags/list"])
    }

    /// The other end of the connection is the proxy's: a certificate for that would be taken for the registry's.
    @Test(arguments: ProxyTests.names)
    func `a certificate for the proxy's address is not one for the registry`(host: String) async throws {
        let proxy = try TinyProxy()
        let address = String(proxy.address.prefix { $0 != ":" })
        let registry = try await secureRegistry(for: ["IP:\(address)", "IP:127.0.0.1"])
        var configuration = try configuration(["HTTPS_PROXY": proxy.address])
        configuration.caFile = registry.certificateAuthorityPath
        let error = try await failure { try await tags(name(registry.address, host), configuration) }
        #expect(error.code == .untrustedCertificate)
        #expect(error.reason == "it belongs to another host")
        #expect(try await registry.finish().isEmpty)
    }

    @Test(arguments: [
        ("a.example", "a.example", true), ("A.Example", "a.example", true), ("a.example", "a.example.", true),
        ("*.example", "a.example", true), ("*.example", "a.b.example", false), ("*.example", "example", false),
        ("*.example", ".example", false), ("*", "example", false), ("a.*", "a.example", false), ("", "example", false),
    ])
    func `a star in a certificate is one part of a name, the first`(name: String, host: String, isFor: Bool) {
        #expect(PeerName.matches(name, host) == isFor)
    }

    @Test(arguments: [false, true])
    func `a blob goes up and down through a proxy`(usesTLS: Bool) async throws {
        let registry = try await EmbeddedRegistry(options: .init(usesTLS: usesTLS))
        let proxy = try TinyProxy()
        let name = name(registry.address)
        var configuration = try configuration([usesTLS ? "HTTPS_PROXY" : "HTTP_PROXY": "http://\(proxy.address)/"])
        configuration.caFile = registry.certificateAuthorityPath
        if !usesTLS { configuration.schemes = [name: .http] }
        let blob = try TestBlob.random(3_000_000)
        let (file, repository) = (try OpenBlob(blob), try Repository(registry: name, path: "app"))
        let received = Received()
        try await withClient(configuration) { client in
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        #expect(received.bytes == (try blob.bytes))
        #expect(!proxy.requests.isEmpty)
        #expect(
            proxy.requests.allSatisfy { $0.contains(usesTLS ? "CONNECT \(name) " : " http://\(name)/v2/app/blobs/") }
        )
    }

    @Test(arguments: [false, true])
    func `TLS and plain HTTP go through a SOCKS proxy`(usesTLS: Bool) async throws {
        let registry = try await EmbeddedRegistry(options: .init(usesTLS: usesTLS))
        var builder = ImageBuilder()
        try registry.add(try builder.image(), "app")
        let proxy = try SOCKSProxy()
        for host in Self.names {
            let name = name(registry.address, host)
            let proxies = ["HTTP_PROXY": "socks5://\(proxy.address)", "HTTPS_PROXY": "socks5://\(proxy.address)"]
            var configuration = try configuration(proxies)
            configuration.caFile = registry.certificateAuthorityPath
            if !usesTLS { configuration.schemes = [name: .http] }
            #expect(try await tags(name, configuration) == ["1"])
            #expect(proxy.log.contains(host), "\(proxy.log)")
        }
    }

    @Test func `what NO_PROXY names is reached without it, and each redirect by its own rule`() async throws {
        let other = try ScriptedRegistry { _ in .text(#"{"tags":["1"]}"#) }
        let registry = try ScriptedRegistry { _ in .redirect(to: "http://\(other.address)/elsewhere") }
        let proxy = try TinyProxy(user: ("me", Self.secret))
        let name = name(registry.address)
        var environment = ["HTTP_PROXY": "http://me:\(Self.secret)@\(proxy.address)"]
        var configuration = try configuration(environment)
        configuration.schemes = [name: .http]
        #expect(try await tags(name, configuration) == ["1"])
        #expect(proxy.requests.count == 1)
        #expect(other.requests.map { $0.header("Proxy-Authorization") } == [nil])
        environment["NO_PROXY"] = name
        configuration.proxies = ProxySettings(environment: environment)
        #expect(try await tags(name, configuration) == ["1"])
        #expect(proxy.requests.count == 1)
        #expect(registry.requests.map { $0.header("Proxy-Authorization") } == [nil, nil])
    }

    /// The variable, what it has for a user, and what is said of it.
    @Test(arguments: ["HTTP_PROXY", "HTTPS_PROXY"], ["", "me:wr0ng@"])
    func `a proxy that wants other credentials says so`(variable: String, user: String) async throws {
        let proxy = try TinyProxy(user: ("me", Self.secret))
        let name = name(try ScriptedRegistry.refusingAddress())
        var configuration = try configuration([variable: "http://\(user)\(proxy.address)"])
        if variable == "HTTP_PROXY" { configuration.schemes = [name: .http] }
        let error = try await failure { try await tags(name, configuration) }
        #expect(error.code == .proxyRefused)
        #expect(retries.count.withLock { $0 } == 0)
        let wanted = user.isEmpty ? "a user and a password" : "another user or password"
        #expect(
            error.reason == """
                the proxy \(proxy.address) of \(variable): it wants \(wanted), as \
                \(variable)=http://USER:PASSWORD@\(proxy.address)
                """
        )
        #expect(!error.description.contains("wr0ng"))
    }

    @Test func `a proxy that refuses to connect is told, and is not asked again and again`() async throws {
        let registry = try await secureRegistry()
        let proxy = try TinyProxy(connectPort: 443)
        let name = name(registry.address)
        let error = try await failure { try await tags(name, try configuration(["HTTPS_PROXY": proxy.address])) }
        #expect(error.code == .proxyRefused)
        #expect(retries.count.withLock { $0 } == 0)
        #expect(
            error.reason == """
                the proxy \(proxy.address) of HTTPS_PROXY: it refuses to connect to \(name) with 403; \
                NO_PROXY names what is reached without it
                """
        )
    }

    @Test func `a proxy that cannot connect is another matter, and worth another attempt`() async throws {
        let proxy = try TinyProxy()
        let name = name(try ScriptedRegistry.refusingAddress())
        let error = try await failure { try await tags(name, try configuration(["HTTPS_PROXY": proxy.address])) }
        #expect(error.code == .unreachable)
        #expect(retries.count.withLock { $0 } == 1)
        let reason = try #require(error.reason)
        let beginning = "the proxy \(proxy.address) of HTTPS_PROXY: it could not connect to \(name); it answered 5"
        #expect(reason.hasPrefix(beginning), "\(reason)")
        // In the other form the proxy answers in the registry's place.
        var plain = try configuration(["HTTP_PROXY": proxy.address])
        plain.schemes = [name: .http]
        let answer = try await failure { try await tags(name, plain) }
        #expect(answer.status.map { $0 >= 500 } == true)
        #expect(answer.reason == "it came through the proxy \(proxy.address) of HTTP_PROXY")
    }

    @Test(arguments: ["HTTP_PROXY", "HTTPS_PROXY"])
    func `a proxy whose name has no address is not asked again`(variable: String) async throws {
        let (name, proxy) = ("registry.site:5000", "no-such-proxy.invalid")
        var configuration = try configuration([variable: "http://\(proxy):3128"])
        if variable == "HTTP_PROXY" { configuration.schemes = [name: .http] }
        let error = try await failure { try await tags(name, configuration) }
        #expect(error.code == .unknownHost)
        #expect(error.reason == "the proxy \(proxy):3128 of \(variable): \(proxy) has no address")
        #expect(retries.count.withLock { $0 } == 0)
    }

    @Test func `a proxy that cannot be used fails those who need it alone`() async throws {
        let registry = try ScriptedRegistry { _ in .text(#"{"tags":["1"]}"#) }
        let (name, reason) = (name(registry.address), "reading the proxy in HTTP_PROXY: its scheme is neither")
        var configuration = try configuration(["HTTP_PROXY": "ftp://proxy.site"])
        configuration.schemes = [name: .http]
        #expect(try await tags(registry.address, configuration) == ["1"])
        let error = try await failure { try await tags(name, configuration) }
        #expect(error.code == .unusableProxy)
        #expect(error.reason?.hasPrefix(reason) == true, "\(error)")
        // Of a registry that is known to be asked it is told at the start.
        configuration.registries = [registry.address]
        try await withClient(configuration) { _ in }
        configuration.registries = [name]
        await #expect(throws: ProxyError.self) {
            try await withClient(configuration) { _ in Issue.record("there is a client") }
        }
    }

    @Test func `an interruption does not wait for what a proxy says of itself`() async throws {
        // What it says first is not liked, and what the question after that gets is nothing.
        let count = Counter()
        let proxy = try ScriptedRegistry { _ in
            let number = count.count.withLock { count in
                count += 1
                return count
            }
            return number == 1 ? .error(502, "UNKNOWN") : Answer().sent(.stalledBeforeHead)
        }
        let configuration = try configuration(["HTTPS_PROXY": proxy.address])
        let task = Task { try await tags("registry.site", configuration) }
        while proxy.requests.count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(proxy.requests.map(\.method) == ["CONNECT", "CONNECT"])
    }

    @Test(arguments: ["HTTP_PROXY", "HTTPS_PROXY"], ["http", "socks5"])
    func `a proxy that is not there is named`(variable: String, scheme: String) async throws {
        let (proxy, name) = (try ScriptedRegistry.refusingAddress(), "registry.site:5000")
        var configuration = try configuration([variable: "\(scheme)://\(proxy)"])
        if variable == "HTTP_PROXY" { configuration.schemes = [name: .http] }
        let error = try await failure { try await tags(name, configuration) }
        #expect(error.code == .unreachable)
        #expect(error.reason == "the proxy \(proxy) of \(variable): connection refused")
    }
}

/// A number that many tasks count up.
private final class Counter: Sendable {
    let count = Mutex(0)
}
