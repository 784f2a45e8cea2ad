import ImageLayout
import RegistryClient

/// Pulls a list of images from their registries and exports them as one bundle.
///
/// The whole file is laid out from the manifests first; then every blob goes from its connection, through its digest,
/// to its final place in the file, once.
public struct Synchronizer: Sendable {
    /// How a bundle is made.
    public struct Options: Sendable {
        /// Whether a bundle is made without the images that fail.
        public var keepGoing = false
        /// Whether a file that exists at the output is replaced.
        public var replacesExisting = false
        /// Whether what an interrupted run left is planned again, with what its tags mean now.
        public var refreshes = false
        /// Earlier bundles; what they have is not fetched again.
        public var reusedBundles: [String] = []

        /// The defaults: all images or none, and nothing is replaced.
        public init() {}
    }

    let connections: ConnectionOptions
    let progress: ProgressHandler

    /// Makes a synchronizer.
    ///
    /// - Parameters:
    ///   - connections: how registries are reached.
    ///   - progress: hears of each step.
    public init(connections: ConnectionOptions = .init(), progress: @escaping ProgressHandler = { _ in }) {
        self.connections = connections
        self.progress = progress
    }

    /// Finds out what a bundle of the references would hold, and writes nothing.
    ///
    /// - Throws: what ``bundle(_:to:options:)`` does.
    public func plan(_ references: [Reference], options: Options = .init()) async throws -> Report {
        let reused = try await openReused(options)
        return try await RegistryClient.withClient(configuration(for: references)) { client in
            var report = Report(command: "bundle")
            var resolution = try await resolver(client, reused).resolve(references)
            let plan = try resolution.layOut()
            report.describe(resolution, plan: plan, status: .planned)
            report.blobs = plan.blobs.map { Report.Blob($0.descriptor, .planned) }
            report.quotas = resolution.quotas
            if !reused.isEmpty { report.totals?.reusedByteCount = plan.byteCount(in: reused) }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing)
        }
    }

    /// Pulls images and exports them as one bundle.
    ///
    /// The bundle appears under its name only when every blob in it has been verified. When the call throws or an image
    /// fails (and ``Options/keepGoing`` is not set), what has been fetched stays in `<path>.partial`, with a journal
    /// beside it, and the same call goes on from there: with the digests that its tags had in the first run, unless
    /// ``Options/refreshes`` is set.
    ///
    /// - Returns: the report; images that failed are in it, each with its cause.
    /// - Throws: ``DrayageError``, `LayoutError` for the file, `CancellationError`.
    public func bundle(
        _ references: [Reference],
        to path: String,
        options: Options = .init()
    ) async throws -> Report {
        // Better now than after a thousand requests.
        try LayoutWriter.checkOutput(path, replacesExisting: options.replacesExisting)
        let interrupted = try await blocking { try InterruptedBundle.open(for: path, options: options) }
        try interrupted?.requireSame(references)
        let reused = try await openReused(options)
        return try await RegistryClient.withClient(configuration(for: references)) { client in
            var report = Report(command: "bundle")
            report.bundle = path
            let resolver = resolver(client, reused, interrupted, references)
            var resolution = try await resolver.resolve(references)
            report.notes = try await interrupted?.movedTags(of: resolution.images, resolver: resolver) ?? []
            let plan = try resolution.layOut()
            report.failures = resolution.failures
            report.quotas = resolution.quotas
            if resolution.failures.isEmpty || (options.keepGoing && !resolution.images.isEmpty) {
                let export = BundleExport(
                    path: path,
                    plan: plan,
                    requests: resolution.requests(for: references),
                    resolution: resolution,
                    interrupted: interrupted,
                    reused: reused,
                    options: options,
                    client: client,
                    connections: connections,
                    progress: progress
                )
                try await export.run(&report)
            }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing)
        }
    }

    private func configuration(for references: [Reference]) throws -> RegistryClient.Configuration {
        try connections.clientConfiguration(for: references.map(\.repository.registry), progress: progress)
    }

    private func openReused(_ options: Options) async throws -> [LayoutReader] {
        try await blocking { try options.reusedBundles.map { try LayoutReader(path: $0) } }
    }

    /// A resolver that need not fetch what is in an earlier bundle or in an interrupted one.
    private func resolver(
        _ client: RegistryClient,
        _ reused: [LayoutReader],
        _ interrupted: InterruptedBundle? = nil,
        _ references: [Reference] = []
    ) -> Resolver {
        Resolver(
            client: client,
            parallelism: connections.parallelism,
            progress: progress,
            known: reused.reduce(into: interrupted?.layout.documents ?? [:]) { documents, reader in
                documents.merge(reader.documents) { first, _ in first }
            },
            pinned: interrupted?.pinned(references) ?? [:]
        )
    }
}

extension LayoutPlan {
    /// The bytes of the blobs that are in one of several bundles.
    fileprivate func byteCount(in readers: [LayoutReader]) -> Int64 {
        blobs.map(\.descriptor).reduce(0) { sum, blob in
            let isThere = readers.contains { Int64($0.range(of: blob.digest)?.count ?? -1) == blob.size }
            return sum + (isThere ? blob.size : 0)
        }
    }
}
