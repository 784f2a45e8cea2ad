import ImageLayout
import RegistryClient

/// Writes a bundle that has been planned: lays it out, fills it, seals it.
struct BundleExport: Sendable {
    let path: String
    let plan: LayoutPlan
    let requests: [LayoutRequest]
    let resolution: Resolver.Resolution
    let interrupted: InterruptedBundle?
    let reused: [LayoutReader]
    let options: Synchronizer.Options
    let client: RegistryClient
    let health: MirrorHealth
    let connections: ConnectionOptions
    let progress: ProgressHandler

    /// Writes the bundle and describes it.
    ///
    /// What is not finished is kept for the next run.
    ///
    /// - Throws: `LayoutError` when the file cannot be written, `CancellationError`.
    func run(_ report: inout Report) async throws {
        let sources = Eager { BlobSources(images: resolution.images, graph: resolution.graph) }
        let writer = try await blocking { try makeWriter($0) }
        do {
            guard try await write(writer, sources.value, &report) else {
                report.partial = await keep(writer)
                return
            }
        } catch {
            _ = await keep(writer)
            throw error
        }
    }

    private func makeWriter(_ checkCancellation: () throws -> Void) throws -> LayoutWriter {
        let replaces = options.replacesExisting
        guard let layout = interrupted?.layout else {
            return try LayoutWriter(plan: plan, requests: requests, path: path, replaceExisting: replaces)
        }
        guard layout.plan != plan || layout.requests != requests else {
            return try LayoutWriter(continuing: layout, replaceExisting: replaces)
        }
        progress(.carryingOver(byteCount: layout.byteCount))
        do {
            return try LayoutWriter(plan: plan, requests: requests, insteadOf: layout, replaceExisting: replaces) { _ in
                try checkCancellation()
            }
        } catch let error as LayoutError {
            guard case .noSpace = error.code else { throw error }
            throw DrayageError(
                .other,
                "planning \(layout.path) again takes the space of both files; to start over, remove it",
                underlying: error
            )
        }
    }

    /// Fills and seals the file.
    ///
    /// - Returns: whether it has its name now.
    private func write(_ writer: LayoutWriter, _ sources: BlobSources, _ report: inout Report) async throws -> Bool {
        let fill = BundleFill(
            plan: plan,
            writer: writer,
            sources: sources,
            reused: reused,
            planned: resolution.blobs,
            client: client,
            health: health,
            parallelism: connections.parallelism,
            progress: progress
        )
        let outcome = try await fill.run(keepGoing: options.keepGoing)
        report.notes += outcome.damaged.sorted { $0.key < $1.key }.map { digest, damage in
            let cause = damage.error.map { "\($0)" } ?? "\(damage.path): \(digest) is not what its digest says"
            return "\(cause); it was not taken from there"
        }
        let records = Eager { outcome.records.sorted }
        defer { report.blobs = records.value }
        var remaining = resolution
        remaining.drop(needing: outcome.failures)
        report.failures = remaining.failures
        guard remaining.failures.isEmpty || (options.keepGoing && !remaining.images.isEmpty) else { return false }
        let final = outcome.failures.isEmpty ? plan : try remaining.layOut()
        progress(.sealing)
        try Task.checkCancellation()
        async let sealed: Void = blocking {
            if !outcome.failures.isEmpty { try writer.compact(to: final) }
            try writer.seal()
        }
        // While the disk works.
        report.describe(remaining, plan: final, status: .bundled, searched: options.includesReferrers)
        try await sealed
        report.totals?.fetchedByteCount = outcome.fetchedByteCount
        if interrupted != nil { report.totals?.keptByteCount = outcome.keptByteCount }
        if !reused.isEmpty { report.totals?.reusedByteCount = outcome.reusedByteCount }
        for image in report.images { progress(.imageFinished(name: image.reference)) }
        return true
    }

    /// Keeps what there is for the next run.
    ///
    /// - Returns: the file; nil where there is nothing in it.
    private func keep(_ writer: LayoutWriter) async -> String? {
        guard (try? await blocking { writer.keep() }) ?? false else { return nil }
        progress(.kept(path: writer.partialPath))
        return writer.partialPath
    }
}
