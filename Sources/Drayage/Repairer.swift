import ImageLayout
import RegistryClient

/// Puts a damaged bundle right: what does not verify is fetched again into its place, and nothing else is written.
public struct Repairer: Sendable {
    /// Where what is damaged is had from.
    public enum Source: Sendable {
        /// The registries that the images are from.
        case origins
        /// A registry, under the names that a push gives.
        case registry(NameMapping)
        /// Another bundle.
        case bundle(String)
    }

    private let connections: ConnectionOptions
    private let progress: ProgressHandler

    /// Makes a repairer.
    ///
    /// - Parameters:
    ///   - connections: how registries are reached.
    ///   - progress: hears of each blob.
    public init(connections: ConnectionOptions = .init(), progress: @escaping ProgressHandler = { _ in }) {
        self.connections = connections
        self.progress = progress
    }

    /// Verifies a bundle and fetches again what is damaged.
    ///
    /// Damage of manifests and of blobs is repaired. What has no place in the file, because it is missing or has another
    /// size, is not, and neither is a damaged index or tar header.
    ///
    /// - Returns: the report: a blob for each that was damaged, and a failure for each that still is.
    /// - Throws: `LayoutError` where the file cannot be read as a bundle at all, or not be written; ``DrayageError`` for
    ///   names that a registry cannot have; an error for a `registries.conf` that cannot be used; `CancellationError`.
    public func repair(bundle path: String, from source: Source = .origins) async throws -> Report {
        let opened = try await blocking { try LayoutRepair(path: path) }
        var connections = connections
        if case .registry(let mapping) = source { connections.setScheme(of: mapping.target) }
        let routes = try await routes(of: opened.reader, from: source)
        let configuration = try connections.clientConfiguration(routes: routes, progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            let donor: LayoutReader? =
                if case .bundle(let path) = source { try await blocking { try LayoutReader(path: path) } } else { nil }
            let repair = BundleRepair(
                source: source,
                donor: donor,
                client: client,
                routes: routes,
                health: MirrorHealth(),
                parallelism: connections.parallelism,
                progress: progress
            )
            var report = try await repair.run(opened)
            report.totals?.requestCount = client.requestCount
            return report
        }
    }

    private func routes(of reader: LayoutReader, from source: Source) async throws -> Routes {
        // Then no registry is asked.
        if case .bundle = source { return Routes([], rules: MirrorRules(named: [], rules: [])) }
        // A name that cannot be asked for is told of where it is needed.
        let names = reader.images.filter(\.namesRepository).map(\.name) + reader.referrers.map(\.name)
        let references = names.compactMap { try? source.reference(of: $0) }
        return try await connections.routes(of: references)
    }
}

extension Repairer.Source {
    /// What is asked for where something of an image is damaged; nil where the image has no name of a repository.
    ///
    /// - Throws: ``DrayageError`` for a name that a registry cannot have.
    func reference(of image: String) throws -> Reference? {
        // An entry without a name is named by its digest.
        guard (try? Digest(parsing: image)) == nil, let reference = try? Reference(parsing: image) else { return nil }
        guard case .registry(let mapping) = self else { return reference }
        let repository = try mapping.repository(for: reference.repository)
        return Reference(repository: repository, tag: reference.tag, digest: reference.digest)
    }
}
