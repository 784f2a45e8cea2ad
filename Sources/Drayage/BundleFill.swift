import ImageLayout
import RegistryClient
import Synchronization

/// Fetches the blobs of a bundle into their places: bounded, over all blobs of all images at once.
struct BundleFill: Sendable {
    let plan: LayoutPlan
    let writer: LayoutWriter
    let sources: BlobSources
    let client: RegistryClient
    let parallelism: Int
    let progress: ProgressHandler

    /// Fetches all blobs.
    ///
    /// - Parameter keepGoing: whether the rest is fetched where one blob fails.
    /// - Returns: the blobs that failed, with the cause; without `keepGoing` the first ends the run.
    /// - Throws: `LayoutError` when the file cannot be written, `CancellationError`.
    func run(keepGoing: Bool) async throws -> [Digest: any Error] {
        progress(.planned(blobCount: plan.blobs.count, byteCount: plan.blobs.reduce(0) { $0 + $1.descriptor.size }))
        let failures = Mutex<[Digest: any Error]>([:])
        let byRegistry = Dictionary(grouping: plan.blobs) { sources[$0.descriptor.digest].first?.registry }
        do {
            try await forEachConcurrently(byRegistry.values, limit: byRegistry.count) { blobs in
                try await forEachBlobConcurrently(blobs, parallelism: parallelism, byteCount: \.descriptor.size) {
                    blob in
                    do {
                        try await fetch(blob)
                    } catch let error as RegistryError {
                        failures.withLock { $0[blob.descriptor.digest] = error }
                        if !keepGoing { throw Stop() }
                    }
                    return []
                }
                return []
            }
        } catch is Stop {
            // What was recorded tells why.
        }
        return failures.withLock { $0 }
    }

    /// Ends the run after a failure that has been recorded.
    private struct Stop: Error {}

    private func fetch(_ planned: LayoutPlan.Blob) async throws {
        let blob = planned.descriptor
        let slot = writer.slot(for: planned)
        var failure: RegistryError?
        for repository in sources[blob.digest] {
            progress(.blobStarted(blob.digest, byteCount: blob.size))
            do {
                let sink: BlobSink = { bytes, offset in
                    try unsafe bytes.withUnsafeBytes { try unsafe slot.write($0, at: offset) }
                    progress(.blobAdvanced(blob.digest, byteCount: Int64(bytes.byteCount)))
                }
                try await client.fetchBlob(blob, from: repository, into: sink) { lost in
                    progress(.blobAdvanced(blob.digest, byteCount: -lost))
                }
                progress(.blobFinished(blob.digest))
                return
            } catch let error as RegistryError {
                // Another repository may have it whole; what is told is why the first did not.
                failure = failure ?? error
                progress(.blobFailed(blob.digest))
            }
        }
        if let failure { throw failure }
    }
}
