/// How names in a bundle become names in a target.
///
/// By default the source's host is dropped and its path kept, which is what mirrors of containerd, CRI-O and k3s
/// expect. With ``keepsHost`` the host becomes the first component of the path and the mapping has an exact inverse.
public struct NameMapping: Hashable, Sendable {
    /// The target.
    public let target: RegistryTarget
    /// Whether the source's host becomes part of the path.
    public let keepsHost: Bool

    /// Puts a mapping together.
    public init(target: RegistryTarget, keepsHost: Bool = false) {
        self.target = target
        self.keepsHost = keepsHost
    }

    /// The repository in the target for one of a source.
    ///
    /// - Throws: ``DrayageError`` with `usage` where the target can have no such name.
    public func repository(for source: Repository) throws -> Repository {
        let path = try PathMapping(of: self).text(for: source)
        do {
            return try Repository(registry: target.registry, path: path)
        } catch {
            throw DrayageError(.usage, "naming \(source) in \(target)", underlying: error)
        }
    }

    /// A host as a component of a path, in a way that can be undone: no host has an underscore, so that `__` can stand
    /// before a port and `_` between the groups of an IPv6 address (`z` for what `::` leaves out).
    static func component(forHost host: String) throws -> String {
        let close = host.firstIndex(of: "]")
        let portStart = (close.map { host[$0...] } ?? host[...]).firstIndex(of: ":")
        let name = host[..<(portStart ?? host.endIndex)]
        let port = portStart.map { "__" + host[host.index(after: $0)...] } ?? ""
        guard name == name.lowercased()[...] else {
            throw DrayageError(
                .usage,
                "the host \(host) has upper-case letters, which a repository's path cannot; write it in lower case"
            )
        }
        guard close != nil else { return name + port }
        let groups = name.dropFirst().dropLast().split(separator: ":", omittingEmptySubsequences: false)
        return groups.map { $0.isEmpty ? "z" : String($0) }.joined(separator: "_") + port
    }

    /// The host that a component of a path stands for: the inverse of what `push --keep-host` writes.
    static func host(forComponent component: String) -> String {
        let parts = component.split(separator: "__", maxSplits: 1, omittingEmptySubsequences: false)
        let port = parts.count == 2 ? ":" + parts[1] : ""
        let groups = parts[0].split(separator: "_")
        guard groups.count > 1 else { return parts[0] + port }
        return "[" + groups.map { $0 == "z" ? "" : String($0) }.joined(separator: ":") + "]" + port
    }
}
