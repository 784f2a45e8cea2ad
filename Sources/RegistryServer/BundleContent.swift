package import ImageLayout
package import OCI

/// The images of bundles under the names at which they are served.
///
/// It holds the manifests, which were read when the bundles were opened, and digests; all else stays in the files.
package struct BundleContent: Sendable {
    private let everything: BundleStore
    /// By the host that the images come from, in lower case.
    private let byHost: [String: BundleStore]

    /// Names the images.
    ///
    /// - Parameters:
    ///   - readers: the bundles, open. One that a push would refuse is refused.
    ///   - naming: the path under which a repository of a source is served.
    /// - Throws: ``BundleError``, also where one name would have two images; and what `naming` throws.
    package init(readers: [LayoutReader], naming: (Repository) throws -> RepositoryPath) throws {
        let sources = try BundleSources(readers: readers, naming: naming)
        let names = sources.paths.sorted { $0.key.description < $1.key.description }
        var everything: [RepositoryPath: BundleRepository] = [:]
        var byHost: [String: [RepositoryPath: BundleRepository]] = [:]
        for (source, path) in names {
            guard let repository = sources.repositories[source] else { continue }
            try everything.add(repository, at: path)
            // First under what its source calls it: who names the source's host means that name, should another
            // image's mapped name be the same.
            let own = try RepositoryPath(parsing: source.path)
            try byHost[source.registry.lowercased(), default: [:]].add(repository, at: own)
        }
        for (source, path) in names {
            guard let repository = sources.repositories[source], path.description != source.path else { continue }
            _ = byHost[source.registry.lowercased()]?[path, default: BundleRepository()].merge(repository)
        }
        self.everything = BundleStore(readers: readers, contents: everything)
        self.byHost = byHost.mapValues { BundleStore(readers: readers, contents: $0) }
    }

    /// What is served to a request.
    ///
    /// - Parameter host: containerd's `ns`: the registry that the image's reference names, while the request goes to a
    ///   mirror of it.
    /// - Returns: without a host everything under its mapped name. With one, what comes from that host, under the path
    ///   that it has there and under its mapped name too; nothing where nothing does.
    package func store(forNamespace host: String?) -> any RegistryStore {
        guard let host else { return everything }
        return byHost[Self.host(of: host)] ?? BundleStore(readers: [], contents: [:])
    }

    /// The host that a namespace means: it has no case, and Docker Hub has two names.
    static func host(of namespace: String) -> String {
        let host = namespace.lowercased()
        return host == "index.docker.io" ? "docker.io" : host
    }
}

extension [RepositoryPath: BundleRepository] {
    /// Adds a repository of a source to what is served under a path.
    fileprivate mutating func add(_ repository: BundleRepository, at path: RepositoryPath) throws(BundleError) {
        let before = self[path]?.tags
        guard let tag = self[path, default: BundleRepository()].merge(repository) else { return }
        guard let one = before?[tag], let other = repository.tags[tag] else { return }
        throw BundleError(code: .nameCollision(name: "\(path):\(tag)", one, other), path: other.bundle)
    }
}
