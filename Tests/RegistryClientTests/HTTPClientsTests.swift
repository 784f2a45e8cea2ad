import TestSupport
import Testing

@testable import RegistryClient

@Suite struct HTTPClientsTests {
    private let proxies = ProxySettings(environment: ["HTTPS_PROXY": "proxy.site:3128"])

    private func route(_ host: String, direct isDirect: Bool = false) throws -> Route {
        let origin = try #require(URLParts.origin(of: "https://\(host)/"))
        let proxies = isDirect ? ProxySettings(environment: [:]) : proxies
        return try Route(to: origin, trust: TrustStore(.withoutRetries), proxies: proxies)
    }

    private func client(_ host: String, _ clients: HTTPClients) async throws -> ObjectIdentifier {
        try await clients.withPair(for: route(host)) { ObjectIdentifier($0.ordinary) }
    }

    @Test func `of many ways the newest keep their clients, and so do those in use`() async throws {
        let clients = HTTPClients(.withoutRetries)
        let inUse = try await clients.withPair(for: route("used.site")) { used in
            let first = try await client("first.site", clients)
            for number in 0..<62 { _ = try await client("\(number).site", clients) }
            #expect(try await client("first.site", clients) == first)
            // There is room for no more: the one that was used longest ago goes.
            let second = try await client("1.site", clients)
            _ = try await client("one-more.site", clients)
            #expect(try await client("first.site", clients) == first)
            #expect(try await client("1.site", clients) == second)
            for number in 100..<200 { _ = try await client("\(number).site", clients) }
            return ObjectIdentifier(used.ordinary)
        }
        #expect(try await client("used.site", clients) == inUse)
        try await clients.shutdown()
    }

    @Test func `requests at one time are spread over a few clients, others share one`() async throws {
        let clients = HTTPClients(.withoutRetries)
        /// The clients of so many requests within one another.
        func nested(_ count: Int) async throws -> [ObjectIdentifier] {
            guard count > 0 else { return [] }
            return try await clients.withPair(for: route("a.site")) { pair in
                [ObjectIdentifier(pair.ordinary)] + (try await nested(count - 1))
            }
        }
        let all = try await nested(12)
        let counts = Dictionary(grouping: all) { $0 }.values.map(\.count)
        #expect((1...2).contains(counts.count))
        #expect(Set(counts) == [12 / counts.count])
        for _ in 0..<4 { #expect(try await client("a.site", clients) == all[0]) }
        try await clients.shutdown()
    }

    @Test func `what goes on with one host says nothing of another on the same way`() async throws {
        let clients = HTTPClients(.withoutRetries)
        try await clients.withPair(for: route("a.site", direct: true)) { first in
            try await clients.withPair(for: route("b.site", direct: true)) { other in
                #expect(other.ordinary === first.ordinary)
            }
        }
        try await clients.shutdown()
    }
}
