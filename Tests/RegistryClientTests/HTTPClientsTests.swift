import TestSupport
import Testing

@testable import RegistryClient

@Suite struct HTTPClientsTests {
    private let proxies = ProxySettings(environment: ["HTTPS_PROXY": "proxy.site:3128"])

    private func route(_ host: String) throws -> Route {
        let origin = try #require(URLParts.origin(of: "https://\(host)/"))
        return try Route(to: origin, trust: TrustStore(.withoutRetries), proxies: proxies)
    }

    private func client(_ host: String, _ clients: HTTPClients) async throws -> ObjectIdentifier {
        try await clients.withClients(for: route(host)) { ObjectIdentifier($0.ordinary) }
    }

    @Test func `of many ways the newest keep their clients, and so do those in use`() async throws {
        let clients = HTTPClients(.withoutRetries)
        let inUse = try await clients.withClients(for: route("used.site")) { used in
            let first = try await client("first.site", clients)
            for number in 0..<62 { _ = try await client("\(number).site", clients) }
            #expect(try await client("first.site", clients) == first)
            // There is room for no more: the one that was used longest ago goes.
            let second = try await client("1.site", clients)
            _ = try await client("one-more.site", clients)
            #expect(try await client("first.site", clients) == first)
            #expect(try await client("1.site", clients) == second)
            for number in 100..<200 { _ = try await client("\(number).site", clients) }
            #expect(try await client("used.site", clients) == ObjectIdentifier(used.ordinary))
            return ObjectIdentifier(used.ordinary)
        }
        #expect(try await client("used.site", clients) == inUse)
        try await clients.shutdown()
    }
}
