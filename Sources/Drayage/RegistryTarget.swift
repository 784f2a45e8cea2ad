import RegistryClient

/// The TARGET of a command: a registry, and what follows it as a prefix of every repository there.
public struct RegistryTarget: Hashable, Sendable, CustomStringConvertible {
    /// The registry's host, with its port.
    public let registry: String
    /// The prefix of every repository, nil where there is none.
    public let prefix: String?
    /// What the text said of TLS, nil where it said nothing.
    let scheme: Scheme?

    /// `registry/prefix`.
    public var description: String { registry + (prefix.map { "/" + $0 } ?? "") }

    /// Reads `[https://|http://]registry[:port][/prefix…]`.
    ///
    /// - Throws: ``DrayageError`` with `usage`.
    public init(parsing text: String) throws {
        var rest = Substring(text)
        var scheme: Scheme?
        for candidate in [Scheme.https, .http] where rest.hasPrefix(candidate.rawValue + "://") {
            scheme = candidate
            rest = rest.dropFirst(candidate.rawValue.count + 3)
        }
        do {
            let namespace = try RegistryNamespace(parsing: String(rest))
            (registry, prefix) = (namespace.registry, namespace.path)
        } catch {
            throw DrayageError(.usage, "\"\(text)\" names no registry", underlying: error)
        }
        self.scheme = scheme
    }
}
