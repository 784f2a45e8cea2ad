import NIOHTTP1

/// How many requests a registry allows, as it last said.
package struct RateLimit: Hashable, Sendable {
    /// The requests that are allowed within the window; nil where it is not said.
    package let limit: Int?
    /// How many of them are left.
    package let remaining: Int
    /// The window; nil where it is not said.
    package let window: Duration?

    /// Reads the headers of an answer, `RateLimit-Remaining: 76;w=21600`; nil where there are none.
    init?(_ headers: HTTPHeaders) {
        guard let remaining = headers.first(name: "RateLimit-Remaining").flatMap(Self.quantity) else { return nil }
        let limit = headers.first(name: "RateLimit-Limit").flatMap(Self.quantity)
        self.remaining = remaining.count
        self.limit = limit?.count
        window = limit?.window ?? remaining.window
    }

    private static func quantity(_ text: String) -> (count: Int, window: Duration?)? {
        let parts = text.split(separator: ";").map { $0.split(separator: " ").joined() }
        guard let count = parts.first.flatMap({ Int($0) }), count >= 0 else { return nil }
        let window = parts.dropFirst().lazy.filter { $0.hasPrefix("w=") }.compactMap { Int32($0.dropFirst(2)) }.first
        return (count, window.map { .seconds($0) })
    }
}

extension RegistryClient {
    /// What a registry last said of its limit, nil where it has said nothing.
    package func rateLimit(of name: String) -> RateLimit? {
        transport.hosts.rateLimit(of: registry(name).endpoint.baseURL)
    }
}
