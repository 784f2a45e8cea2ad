/// How many requests a registry allows, as it last said.
package struct RateLimit: Hashable, Sendable {
    /// The requests that are allowed within the window; nil where it is not said.
    package let limit: Int?
    /// How many of them are left.
    package let remaining: Int
    /// The window; nil where it is not said.
    package let window: Duration?

    /// Reads the headers of an answer, `RateLimit-Remaining: 76;w=21600` and `RateLimit-Limit`; nil where there are none.
    init?(remaining: String?, limit: String?) {
        guard let remaining = remaining.flatMap(Self.quantity) else { return nil }
        let limit = limit.flatMap(Self.quantity)
        self.remaining = remaining.count
        self.limit = limit?.count
        window = limit?.window ?? remaining.window
    }

    private static func quantity(_ text: String) -> (count: Int, window: Duration?)? {
        let parts = text.split(separator: ";").map { $0.split(separator: " ").joined() }
        guard let count = parts.first.flatMap({ Int($0) }), count >= 0 else { return nil }
        let window = parts.dropFirst().lazy.filter { $0.hasPrefix("w=") }.compactMap { UInt32($0.dropFirst(2)) }.first
        return (count, window.map { .seconds($0) })
    }
}
