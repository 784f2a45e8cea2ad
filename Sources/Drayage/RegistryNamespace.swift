/// A registry, or what begins with a path there: `host[:port]`, `host/namespace`, `host/namespace/repository`.
struct RegistryNamespace: Hashable, Sendable, CustomStringConvertible {
    let registry: String
    let path: String?

    /// `registry/path`.
    var description: String { registry + (path.map { "/" + $0 } ?? "") }

    /// Reads a namespace; slashes at its end are nothing.
    ///
    /// - Throws: ``ReferenceError`` where the registry is no host or the path no repository's.
    init(parsing text: String) throws(ReferenceError) {
        var rest = Substring(text)
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        let slash = rest.firstIndex(of: "/")
        let host = String(rest[..<(slash ?? rest.endIndex)])
        path = slash.map { String(rest[rest.index(after: $0)...]) }
        // The rules for a repository are the rules for its registry and its path.
        _ = try Repository(registry: host, path: path ?? "name")
        registry = host == "index.docker.io" ? "docker.io" : host
    }

    /// What follows this in the name of a repository, empty where it is the repository's own name.
    ///
    /// - Returns: nil where the repository is not in it.
    func remainder(of repository: Repository) -> Substring? {
        guard registry == repository.registry else { return nil }
        guard let path else { return repository.path[...] }
        if path == repository.path { return "" }
        return repository.path.hasPrefix(path + "/") ? repository.path.dropFirst(path.count + 1) : nil
    }

    /// The repository of which the rest of the name is given.
    ///
    /// - Throws: ``ReferenceError`` where that is no name of a repository.
    func repository(_ remainder: Substring) throws(ReferenceError) -> Repository {
        let parts = [path, remainder.isEmpty ? nil : String(remainder)].compactMap(\.self)
        return try Repository(registry: registry, path: parts.joined(separator: "/"))
    }
}
