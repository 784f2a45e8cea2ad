/// How a repository of a source becomes a path elsewhere: the path part of a ``NameMapping``, which a push and a served
/// bundle have in common.
public struct PathMapping: Hashable, Sendable {
    /// What comes first in every path, nil where nothing does.
    public let prefix: String?
    /// Whether the source's host becomes part of the path.
    public let keepsHost: Bool

    /// Puts a mapping together.
    ///
    /// - Parameters:
    ///   - prefix: what comes first in every path: a repository's path itself.
    ///   - keepsHost: whether the source's host becomes part of the path.
    /// - Throws: ``DrayageError`` with `usage` where the prefix is no such path.
    public init(prefix: String? = nil, keepsHost: Bool = false) throws {
        do throws(ReferenceError) {
            if let prefix { _ = try RepositoryPath(parsing: prefix) }
        } catch {
            throw DrayageError(.usage, "\"\(prefix ?? "")\" is no prefix for a repository", underlying: error)
        }
        self.prefix = prefix
        self.keepsHost = keepsHost
    }

    init(of mapping: NameMapping) {
        prefix = mapping.target.prefix
        keepsHost = mapping.keepsHost
    }

    /// The path for a repository of a source.
    ///
    /// - Throws: ``DrayageError`` with `usage` where there can be no such path.
    package func path(for source: Repository) throws -> RepositoryPath {
        do {
            return try RepositoryPath(parsing: try text(for: source))
        } catch let error as ReferenceError {
            throw DrayageError(.usage, "naming \(source)", underlying: error)
        }
    }

    /// The path, which may be too long.
    func text(for source: Repository) throws -> String {
        let host = keepsHost ? try NameMapping.component(forHost: source.registry) : nil
        return [prefix, host, source.path].compactMap(\.self).joined(separator: "/")
    }
}
