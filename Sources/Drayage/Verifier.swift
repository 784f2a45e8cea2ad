import FoundationEssentials
import ImageLayout
import RegistryClient
import Synchronization

/// Checks a bundle, by itself or against a registry.
public struct Verifier: Sendable {
    private let connections: ConnectionOptions
    private let reading: ReadingOptions
    private let progress: ProgressHandler

    /// Makes a verifier.
    ///
    /// - Parameters:
    ///   - connections: how a registry is reached.
    ///   - reading: how the bundle is read.
    ///   - progress: hears of each blob.
    public init(
        connections: ConnectionOptions = .init(),
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) {
        self.connections = connections
        self.reading = reading
        self.progress = progress
    }

    /// Checks every blob's size and digest, and that everything referenced is there.
    ///
    /// All damage is reported.
    ///
    /// - Parameters:
    ///   - path: the bundle.
    ///   - deep: whether each layer is decompressed too, and what comes of it compared with the `diff_id` in the config.
    ///     A layer that becomes more than 1 GiB and 1,100 times its own size is damage.
    /// - Returns: what was checked, and what is wrong.
    /// - Throws: `LayoutError` where the file cannot be read as a bundle at all, `CancellationError`.
    public func verify(bundle path: String, deep: Bool = false) async throws -> Report {
        let reader = try await reading.open(path, progress: progress)
        let layers = deep ? try await LayerVerification(of: reader) : nil
        let graph = ImageGraph(of: reader)
        let blobs = reader.blobs + reader.strayBlobs
        let damaged = try await damage(of: blobs, in: reader, layers)
        let users = try reader.images(needing: Set(damaged.keys))
        let problems = reader.problems + (try await layers?.errors() ?? [])
        let hit = Set(problems.flatMap(\.images) + users.values.joined())
        var report = Report(command: "verify")
        report.bundle = path
        report.bundleByteCount = reader.byteCount
        report.notes = reader.formNotes
        report.images = reader.images.map {
            Report.Image(describing: $0, in: graph, status: hit.contains($0.name) ? .failed : .verified)
        }
        report.failures =
            problems.map { Report.Failure(subject: $0.code.damagedDigest?.description ?? path, error: $0) }
            + damaged.sorted { $0.key < $1.key }.map { Report.Failure(subject: $0.key.description, error: $0.value) }
        report.totals = Report.Totals(blobCount: blobs.count, byteCount: blobs.reduce(0) { $0 + $1.size })
        layers?.describe(in: &report)
        report.outcome = report.failures.isEmpty ? .done : .failed
        return report
    }

    /// Checks that everything in a bundle is in a registry, under the mapped names, with the same digests.
    ///
    /// - Throws: `LayoutError` for the file, ``DrayageError`` for the names, `CancellationError`.
    public func verify(bundle path: String, at mapping: NameMapping) async throws -> Report {
        let reader = try await reading.open(path, progress: progress)
        try reader.requireSound()
        let images = try PushPlan.images(of: reader, mapping: mapping)
        let graph = ImageGraph(of: reader)
        var connections = connections
        connections.setScheme(of: mapping.target)
        let configuration = try connections.clientConfiguration(for: [mapping.target.registry], progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            let check = TargetCheck(graph: graph, client: client, parallelism: connections.parallelism)
            let failures = try await check.failures(of: images)
            var report = Report(command: "verify")
            report.bundle = path
            report.target = mapping.target.description
            report.unnamedCount = reader.strayCount(besides: images)
            for (index, planned) in images.enumerated() {
                let failed = failures[index] ?? []
                var image = Report.Image(
                    describing: planned.image,
                    in: graph,
                    status: failed.isEmpty ? .verified : .failed
                )
                image.target = planned.name
                image.referrerCount = planned.referrers.manifestCount
                report.images.append(image)
                report.failures += failed.map { Report.Failure(subject: planned.name, error: $0) }
            }
            report.totals = Report.Totals()
            report.totals?.requestCount = client.requestCount
            report.outcome = report.failures.isEmpty ? .done : .failed
            return report
        }
    }

    /// Finds out which blobs of a bundle are damaged, and how; and what their layers hold, where that is to be verified.
    ///
    /// - Throws: `CancellationError` alone.
    func damage(
        of blobs: [Descriptor],
        in reader: LayoutReader,
        _ layers: LayerVerification? = nil
    ) async throws -> [Digest: LayoutError] {
        progress(.planned(blobCount: blobs.count, byteCount: blobs.reduce(0) { $0 + $1.size }))
        let damage = Mutex<[Digest: LayoutError]>([:])
        let processorCount = ProcessInfo.processInfo.activeProcessorCount
        let limit = layers == nil ? processorCount : min(processorCount, LayerVerification.limit)
        try await forEachConcurrently(blobs, limit: limit) { blob in
            do {
                try await verify(blob, of: reader, layers)
            } catch let error as LayoutError {
                damage.withLock { $0[blob.digest] = error }
            }
            return []
        }
        return damage.withLock { $0 }
    }

    private func verify(_ blob: Descriptor, of reader: LayoutReader, _ layers: LayerVerification?) async throws {
        progress(.blobStarted(blob.digest, byteCount: blob.size))
        try await blocking { checkCancellation in
            func advanced(_ byteCount: Int64) throws {
                try checkCancellation()
                if byteCount > 0 { progress(.blobAdvanced(blob.digest, byteCount: byteCount)) }
            }
            if let layers, layers.concern(blob) {
                try layers.verify(blob, advanced)
            } else {
                try reader.verify(blob, advanced: advanced)
            }
        }
        progress(.blobFinished(blob.digest))
    }
}
