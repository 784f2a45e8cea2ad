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
    public func plan(_ references: [Reference]) async throws -> Report {
        try await RegistryClient.withClient(connections.clientConfiguration()) { client in
            var report = Report(command: "bundle")
            let resolution = try await resolve(references, client: client)
            let plan = try layout(resolution.images, resolution.graph)
            report.describe(resolution, plan: plan, status: .planned)
            report.totals?.requestCount = client.requestCount
            report.outcome = Report.Outcome(failures: report.failures.count, of: references.count)
            return report
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
        return try await RegistryClient.withClient(connections.clientConfiguration()) { client in
            var report = Report(command: "bundle")
            report.bundle = path
            let resolution = try await resolve(references, client: client)
            report.failures = resolution.failures
            if resolution.failures.isEmpty || (options.keepGoing && !resolution.images.isEmpty) {
                try await export(resolution, to: path, options: options, client: client, report: &report)
            }
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing)
        }
    }

    private func resolve(_ references: [Reference], client: RegistryClient) async throws -> Resolver.Resolution {
        let resolver = Resolver(client: client, parallelism: connections.parallelism, progress: progress)
        let resolution = try await resolver.resolve(references)
        for failure in resolution.failures {
            progress(.imageFailed(name: failure.subject, message: failure.message))
        }
        return resolution
    }

    private func layout(_ images: [Resolver.Image], _ graph: ImageGraph) throws -> LayoutPlan {
        var named: [String: Descriptor] = [:]
        for image in images {
            let name = image.reference.bundleName
            if let other = named[name], other.digest != image.top.digest {
                throw DrayageError(
                    .nameCollision,
                    "\(name) is asked for with two digests, \(other.digest) and \(image.top.digest); "
                        + "a bundle has one image of a name"
                )
            }
            named[name] = image.top
        }
        return try LayoutPlan(
            images: named.map { LayoutImage(name: $0.key, descriptor: $0.value) },
            documents: graph.documents(beneath: images.map(\.top.digest))
        )
    }

    private func export(
        _ resolution: Resolver.Resolution,
        to path: String,
        options: Options,
        client: RegistryClient,
        report: inout Report
    ) async throws {
        let plan = try layout(resolution.images, resolution.graph)
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
            remaining.drop(failures)
            report.failures = remaining.failures
            for failure in remaining.failures.dropFirst(resolution.failures.count) {
                progress(.imageFailed(name: failure.subject, message: failure.message))
            }
            guard remaining.failures.isEmpty || (options.keepGoing && !remaining.images.isEmpty) else {
                return writer.abandon()
            }
            let final = failures.isEmpty ? plan : try layout(remaining.images, remaining.graph)
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

extension ImageGraph {
    /// The documents from several tops on.
    func documents(beneath tops: [Digest]) -> [Digest: Document] {
        var result: [Digest: Document] = [:]
        for top in tops {
            for document in documents(from: top) { result[document.descriptor.digest] = document }
        }
        return result
    }
}

extension Resolver.Resolution {
    /// Moves the images that need one of the blobs to the failures.
    fileprivate mutating func drop(_ blobs: [Digest: any Error]) {
        guard !blobs.isEmpty else { return }
        images.removeAll { image in
            guard let blob = graph.blobs(from: image.top.digest).first(where: { blobs[$0.digest] != nil }),
                let error = blobs[blob.digest]
            else { return false }
            failures.append(.init(subject: image.reference.description, error: error))
            return true
        }
    }
}
