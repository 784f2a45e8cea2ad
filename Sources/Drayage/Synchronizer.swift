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
        /// Whether a file that exists at the output is replaced, and what the target of a copy has.
        public var replacesExisting = false
        /// Whether what an interrupted run left is planned again, with what its tags mean now.
        public var refreshes = false
        /// Whether what refers to the images comes along: signatures, attestations, SBOMs.
        public var includesReferrers = true
        /// The platforms that are taken of each image; all where there is none.
        ///
        /// An image that lacks one of them fails.
        public var platforms: [PlatformSelector] = []
        /// What becomes of an index of which platforms are left out.
        public var sparseIndexes = SparseIndexPolicy.strip
        /// What becomes of layers that their makers ask not to distribute.
        public var foreignLayers = ForeignLayerPolicy.skip
        /// Who must have signed which images for them to enter the bundle.
        public var signaturePolicy = SignaturePolicy()
        /// What the references mean and what refers to them, where that is locked; nil where it is asked for.
        ///
        /// It is set by ``BundleLock/apply(to:)``.
        public internal(set) var lock: BundleLock?
        /// Earlier bundles; what they have is not fetched again.
        public var reusedBundles: [String] = []

        /// The defaults: all images or none, and nothing is replaced.
        public init() {}
    }

    let connections: ConnectionOptions
    let reading: ReadingOptions
    let progress: ProgressHandler

    /// Makes a synchronizer.
    ///
    /// - Parameters:
    ///   - connections: how registries are reached.
    ///   - reading: how files are read that images are taken from.
    ///   - progress: hears of each step.
    public init(
        connections: ConnectionOptions = .init(),
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) {
        self.connections = connections
        self.reading = reading
        self.progress = progress
    }

    /// Finds out what a bundle of the references would hold, and writes nothing.
    ///
    /// - Throws: what ``bundle(_:to:options:)`` does.
    public func plan(_ references: [Reference], options: Options = .init()) async throws -> Report {
        let routes = try await connections.routes(of: references)
        let reused = try await openReused(options)
        let configuration = try connections.clientConfiguration(routes: routes, progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            var report = Report(command: "bundle")
            let resolver = try resolver(client, reused, references: references, routes: routes, options: options)
            var resolution = try await resolver.resolve(references)
            resolution.graph.foreignLayers = options.foreignLayers == .include ? .all : .none
            report.notes += try await addReferrers(to: &resolution, resolver, options: options)
            if resolver.strips { report.notes += resolution.strip() }
            try options.lock?.requireSameDigests(in: &resolution)
            let plan = try resolution.layOut()
            report.notes += resolution.foreignLayerNotes
            report.describe(resolution, plan: plan, status: .planned, searched: options.includesReferrers)
            report.blobs = plan.blobs.map { Report.Blob($0.descriptor, .planned) }
            report.quotas = resolution.quotas
            if !reused.isEmpty { report.totals?.reusedByteCount = plan.byteCount(in: reused) }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing, mirrors: resolver.health)
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
        let routes = try await connections.routes(of: references)
        try LayoutWriter.checkOutput(path, replacesExisting: options.replacesExisting)
        let interrupted = try await blocking { try InterruptedBundle.open(for: path, options: options) }
        try interrupted?.requireSame(references)
        let reused = try await openReused(options)
        let configuration = try connections.clientConfiguration(routes: routes, progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            var report = Report(command: "bundle")
            report.bundle = path
            let resolver = try resolver(
                client,
                reused,
                interrupted,
                references: references,
                routes: routes,
                options: options
            )
            var resolution = try await resolver.resolve(references)
            resolution.graph.foreignLayers = options.foreignLayers == .include ? .all : .none
            if options.lock == nil {
                report.notes = try await interrupted?.movedTags(of: resolution.images, resolver: resolver) ?? []
            }
            report.notes += try await addReferrers(to: &resolution, resolver, interrupted, options: options)
            if resolver.strips { report.notes += resolution.strip() }
            try options.lock?.requireSameDigests(in: &resolution)
            let plan = try resolution.layOut()
            report.notes += resolution.foreignLayerNotes
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
                    health: resolver.health,
                    connections: connections,
                    progress: progress
                )
                try await export.run(&report)
            }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing, mirrors: resolver.health)
        }
    }

    private func openReused(_ options: Options) async throws -> [LayoutReader] {
        try await reading.open(options.reusedBundles, progress: progress)
    }

    /// Finds what refers to the images, and verifies their signatures.
    private func addReferrers(
        to resolution: inout Resolver.Resolution,
        _ resolver: Resolver,
        _ interrupted: InterruptedBundle? = nil,
        options: Options
    ) async throws -> [String] {
        let locked = try options.lock?.referrers(of: resolution.images, strips: resolver.strips)
        return try await resolver.addReferrers(
            to: &resolution,
            planned: locked ?? interrupted?.plannedReferrers ?? [:],
            policy: options.signaturePolicy,
            areTaken: options.includesReferrers
        )
    }

    /// A resolver that need not fetch what is in an earlier bundle or in an interrupted one.
    func resolver(
        _ client: RegistryClient,
        _ reused: [LayoutReader],
        _ interrupted: InterruptedBundle? = nil,
        references: [Reference],
        routes: Routes,
        options: Options
    ) throws -> Resolver {
        Resolver(
            client: client,
            parallelism: connections.parallelism,
            progress: progress,
            choice: PlatformChoice(platforms: Set(options.platforms).sorted()),
            strips: options.sparseIndexes == .strip,
            reused: reused,
            known: reused.reduce(into: interrupted?.layout.documents ?? [:]) { documents, reader in
                documents.merge(reader.documents) { first, _ in first }
            },
            pinned: try options.lock?.pinned() ?? interrupted?.pinned(references) ?? [:],
            routes: routes,
            health: MirrorHealth()
        )
    }
}

extension LayoutPlan {
    /// The bytes of the blobs that are in one of several bundles.
    fileprivate func byteCount(in readers: [LayoutReader]) -> Int64 {
        blobs.map(\.descriptor).reduce(0) { sum, blob in
            let isThere = readers.contains { $0.byteCount(of: blob.digest) == blob.size }
            return sum + (isThere ? blob.size : 0)
        }
    }
}
