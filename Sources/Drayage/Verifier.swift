import FoundationEssentials
import ImageLayout
import RegistryClient
import Synchronization

/// Checks a bundle, by itself or against a registry.
public struct Verifier: Sendable {
    private let connections: ConnectionOptions
    private let progress: ProgressHandler

    /// Makes a verifier.
    ///
    /// - Parameters:
    ///   - connections: how a registry is reached.
    ///   - progress: hears of each blob.
    public init(connections: ConnectionOptions = .init(), progress: @escaping ProgressHandler = { _ in }) {
        self.connections = connections
        self.progress = progress
    }

    /// Checks every blob's size and digest, and that everything referenced is there.
    ///
    /// All damage is reported.
    ///
    /// - Throws: `LayoutError` where the file cannot be read as a bundle at all, `CancellationError`.
    public func verify(bundle path: String) async throws -> Report {
        let reader = try await blocking { try LayoutReader(path: path) }
        let graph = ImageGraph(documents: reader.documents)
        let blobs = reader.blobs + reader.strayBlobs
        let damaged = try await damage(of: blobs, in: reader)
        let users = try reader.images(needing: Set(damaged.keys))
        let hit = Set(reader.problems.flatMap(\.images) + users.values.joined())
        var report = Report(command: "verify")
        report.bundle = path
        report.bundleByteCount = reader.byteCount
        report.images = reader.images.map {
            Report.Image(describing: $0, in: graph, status: hit.contains($0.name) ? .failed : .verified)
        }
        report.failures =
            reader.problems.map { Report.Failure(subject: $0.code.damagedDigest?.description ?? path, error: $0) }
            + damaged.sorted { $0.key < $1.key }.map { Report.Failure(subject: $0.key.description, error: $0.value) }
        report.totals = Report.Totals(blobCount: blobs.count, byteCount: blobs.reduce(0) { $0 + $1.size })
        report.outcome = report.failures.isEmpty ? .done : .failed
        return report
    }

    /// Checks that everything in a bundle is in a registry, under the mapped names, with the same digests.
    ///
    /// - Throws: `LayoutError` for the file, ``DrayageError`` for the names, `CancellationError`.
    public func verify(bundle path: String, at mapping: NameMapping) async throws -> Report {
        let reader = try await blocking { try LayoutReader(path: path) }
        try reader.requireSound()
        let images = try PushPlan.images(of: reader, mapping: mapping)
        let graph = ImageGraph(documents: reader.documents)
        var connections = connections
        connections.setScheme(of: mapping.target)
        return try await RegistryClient.withClient(connections.clientConfiguration(progress: progress)) { client in
            let check = TargetCheck(graph: graph, client: client, parallelism: connections.parallelism)
            let failures = try await check.failures(of: images)
            var report = Report(command: "verify")
            report.bundle = path
            report.target = mapping.target.description
            report.unnamedCount = reader.unnamed.isEmpty ? nil : reader.unnamed.count
            for (index, planned) in images.enumerated() {
                let failed = failures[index] ?? []
                var image = Report.Image(
                    describing: planned.image,
                    in: graph,
                    status: failed.isEmpty ? .verified : .failed
                )
                image.target = planned.name
                report.images.append(image)
                report.failures += failed.map { Report.Failure(subject: planned.name, error: $0) }
            }
            report.totals = Report.Totals()
            report.totals?.requestCount = client.requestCount
            report.outcome = report.failures.isEmpty ? .done : .failed
            return report
        }
    }

    /// Finds out which blobs of a bundle are damaged, and how.
    ///
    /// - Throws: `CancellationError` alone.
    func damage(of blobs: [Descriptor], in reader: LayoutReader) async throws -> [Digest: LayoutError] {
        progress(.planned(blobCount: blobs.count, byteCount: blobs.reduce(0) { $0 + $1.size }))
        let damage = Mutex<[Digest: LayoutError]>([:])
        try await forEachConcurrently(blobs, limit: ProcessInfo.processInfo.activeProcessorCount) { blob in
            do {
                try await verify(blob, of: reader)
            } catch let error as LayoutError {
                damage.withLock { $0[blob.digest] = error }
            }
            return []
        }
        return damage.withLock { $0 }
    }

    private func verify(_ blob: Descriptor, of reader: LayoutReader) async throws {
        progress(.blobStarted(blob.digest, byteCount: blob.size))
        try await blocking { checkCancellation in
            try reader.verify(blob) { byteCount in
                try checkCancellation()
                progress(.blobAdvanced(blob.digest, byteCount: byteCount))
            }
        }
        progress(.blobFinished(blob.digest))
    }
}
