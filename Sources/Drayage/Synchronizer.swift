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
        try await RegistryClient.withClient(connections.clientConfiguration(progress: progress)) { client in
            var report = Report(command: "bundle")
            var resolution = try await resolve(references, client: client)
            let plan = try resolution.layOut()
            report.describe(resolution, plan: plan, status: .planned)
            report.quotas = resolution.quotas
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing)
        }
    }

    /// Pulls images and exports them as one bundle.
    ///
    /// The bundle appears under its name only when every blob in it has been verified. When the call throws or an image
    /// fails (and ``Options/keepGoing`` is not set), no file is left.
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
        return try await RegistryClient.withClient(connections.clientConfiguration(progress: progress)) { client in
            var report = Report(command: "bundle")
            report.bundle = path
            var resolution = try await resolve(references, client: client)
            let plan = try resolution.layOut()
            report.failures = resolution.failures
            report.quotas = resolution.quotas
            if resolution.failures.isEmpty || (options.keepGoing && !resolution.images.isEmpty) {
                try await export(resolution, plan, to: path, options: options, client: client, report: &report)
            }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing)
        }
    }

    private func resolve(_ references: [Reference], client: RegistryClient) async throws -> Resolver.Resolution {
        let resolver = Resolver(client: client, parallelism: connections.parallelism, progress: progress)
        return try await resolver.resolve(references)
    }

    private func export(
        _ resolution: Resolver.Resolution,
        _ plan: LayoutPlan,
        to path: String,
        options: Options,
        client: RegistryClient,
        report: inout Report
    ) async throws {
        let writer = try await blocking {
            try LayoutWriter(plan: plan, path: path, replaceExisting: options.replacesExisting)
        }
        do {
            let fill = BundleFill(
                plan: plan,
                writer: writer,
                sources: BlobSources(images: resolution.images, graph: resolution.graph),
                client: client,
                parallelism: connections.parallelism,
                progress: progress
            )
            let failures = try await fill.run(keepGoing: options.keepGoing)
            var remaining = resolution
            remaining.drop(needing: failures)
            report.failures = remaining.failures
            guard remaining.failures.isEmpty || (options.keepGoing && !remaining.images.isEmpty) else {
                return writer.abandon()
            }
            let final = failures.isEmpty ? plan : try remaining.layOut()
            progress(.sealing)
            try Task.checkCancellation()
            try await blocking {
                if !failures.isEmpty { try writer.compact(to: final) }
                try writer.seal()
            }
            report.describe(remaining, plan: final, status: .bundled)
            for image in report.images { progress(.imageFinished(name: image.reference)) }
        } catch {
            writer.abandon()
            throw error
        }
    }
}
