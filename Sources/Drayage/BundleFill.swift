import ImageLayout
import RegistryClient
import Synchronization

/// Brings the blobs of a bundle into their places: bounded, over all blobs of all images at once.
struct BundleFill: Sendable {
    let plan: LayoutPlan
    let writer: LayoutWriter
    let sources: BlobSources
    /// Earlier bundles, which are asked before any registry.
    let reused: [LayoutReader]
    /// What was fetched when the bundle was planned.
    let planned: [Digest: Resolver.PlannedBlob]
    let client: RegistryClient
    let health: MirrorHealth
    let parallelism: Int
    let progress: ProgressHandler

    /// How often it is brought to disk how far everything is: what is lost when the power is cut.
    private static let checkpointInterval = Duration.seconds(5)
    /// Copying is the disk's and the processor's work, of which there is not more with more at once.
    private static let copyLimit = 2

    /// What became of the blobs.
    struct Outcome: Sendable {
        /// The blobs that could not be had, each with its cause.
        var failures: [Digest: any Error] = [:]
        /// The bytes that an interrupted run had fetched.
        var keptByteCount: Int64 = 0
        /// The bytes that were taken from earlier bundles.
        var reusedByteCount: Int64 = 0
        /// The bytes that came from registries, those that came in vain among them.
        var fetchedByteCount: Int64 = 0
        /// What became of each blob.
        var records = BlobRecords()
        /// The blobs that an earlier bundle should have and has not, or not in a way that can be read.
        var damaged: [Digest: Damage] = [:]
    }

    /// A blob that was not taken from a file.
    struct Damage: Sendable {
        /// The file.
        let path: String
        /// Why it cannot be read; nil where it has other bytes.
        let error: LayoutError?
    }

    private final class Record: Sendable {
        let outcome = Mutex(Outcome())
    }

    /// A blob that no place has given.
    private struct Unavailable: Error {
        let error: any Error
    }

    /// Ends the run after a failure that has been recorded.
    private struct Stop: Error {}

    /// Brings all blobs.
    ///
    /// - Parameter keepGoing: whether the rest is fetched where one blob fails.
    /// - Returns: what became of the blobs; without `keepGoing` the first failure ends the run.
    /// - Throws: `LayoutError` when the file cannot be written, `CancellationError`.
    func run(keepGoing: Bool) async throws -> Outcome {
        let keptByteCount = plan.blobs.reduce(0) { $0 + writer.slot(for: $1).prefixCount }
        if keptByteCount > 0 { progress(.continuing(byteCount: keptByteCount)) }
        progress(.planned(blobCount: plan.blobs.count, byteCount: plan.blobs.reduce(0) { $0 + $1.descriptor.size }))
        let record = Record()
        let missing = takeStock(record)
        do {
            try await repeating(every: Self.checkpointInterval) {
                try await blocking { [writer] in try writer.checkpoint() }
            } during: {
                let reusable = missing.filter { isReusable($0) }
                async let rest = takeOver(reusable, record)
                try await fetch(missing.filter { !isReusable($0) }, keepGoing: keepGoing, record)
                try await fetch(rest, keepGoing: keepGoing, record)
            }
        } catch is Stop {
            // What was recorded tells why.
        }
        return record.outcome.withLock { $0 }
    }

    // MARK: - What is there

    /// Finds out what an interrupted run has left to do, and tells of what it has done.
    private func takeStock(_ record: Record) -> [LayoutPlan.Blob] {
        var missing: [LayoutPlan.Blob] = []
        for blob in plan.blobs {
            guard writer.slot(for: blob).isVerified else {
                missing.append(blob)
                continue
            }
            record.outcome.withLock { outcome in
                outcome.keptByteCount += blob.descriptor.size
                outcome.records.note(Report.Blob(blob.descriptor, .kept))
            }
            progress(.blobStarted(blob.descriptor.digest, byteCount: blob.descriptor.size))
            progress(.blobFinished(blob.descriptor.digest))
        }
        return missing
    }

    /// Takes over what earlier bundles have.
    ///
    /// - Returns: what they do not have.
    private func takeOver(
        _ blobs: [LayoutPlan.Blob],
        _ record: Record
    ) async throws -> [LayoutPlan.Blob] {
        let results = try await collectConcurrently(blobs, limit: Self.copyLimit) { blob in
            (blob, isThere: try await takeOver(blob, record))
        }
        return results.filter { !$0.isThere }.map(\.0)
    }

    private func isReusable(_ blob: LayoutPlan.Blob) -> Bool {
        reused.contains { $0.byteCount(of: blob.descriptor.digest) != nil }
    }

    private func takeOver(_ planned: LayoutPlan.Blob, _ record: Record) async throws -> Bool {
        let blob = planned.descriptor
        let slot = writer.slot(for: planned)
        for reader in reused where reader.byteCount(of: blob.digest) != nil {
            progress(.blobStarted(blob.digest, byteCount: blob.size))
            if let damage = try await copy(to: slot, from: reader) {
                progress(.blobFailed(blob.digest))
                record.outcome.withLock { $0.damaged[blob.digest] = damage }
                continue
            }
            progress(.blobFinished(blob.digest))
            var entry = Report.Blob(blob, .reused)
            entry.source = reader.path
            record.outcome.withLock { [entry] outcome in
                outcome.reusedByteCount += blob.size
                outcome.records.note(entry)
            }
            return true
        }
        return false
    }

    /// Copies a blob.
    ///
    /// - Returns: why it is not there now; nil where it is.
    private func copy(to slot: LayoutSlot, from reader: LayoutReader) async throws -> Damage? {
        do {
            let isWhole = try await blocking { checkCancellation in
                try slot.copy(from: reader) { count in
                    try checkCancellation()
                    progress(.blobAdvanced(slot.descriptor.digest, byteCount: count))
                }
            }
            return isWhole ? nil : Damage(path: reader.path, error: nil)
        } catch let error as LayoutError where error.operation == .reading {
            try slot.note(prefix: 0)
            return Damage(path: reader.path, error: error)
        }
    }

    // MARK: - What is fetched

    private func fetch(_ blobs: [LayoutPlan.Blob], keepGoing: Bool, _ record: Record) async throws {
        let byRegistry = Dictionary(grouping: blobs) { sources[$0.descriptor.digest].first?.repository.registry }
        try await forEachConcurrently(byRegistry.values, limit: byRegistry.count) { blobs in
            try await forEachBlobConcurrently(blobs, parallelism: parallelism, byteCount: \.descriptor.size) { blob in
                do {
                    try await fetch(blob, record)
                } catch let failure as Unavailable {
                    record.outcome.withLock { $0.failures[blob.descriptor.digest] = failure.error }
                    if !keepGoing { throw Stop() }
                }
                return []
            }
            return []
        }
    }

    /// Puts a blob that was fetched already in its place.
    private func place(_ fetched: Resolver.PlannedBlob, in slot: LayoutSlot, _ record: Record) async throws {
        let blob = slot.descriptor
        let count = Int64(fetched.bytes.count)
        progress(.blobStarted(blob.digest, byteCount: blob.size))
        try await blocking {
            try unsafe fetched.bytes.withUnsafeBytes { try unsafe slot.write($0, at: 0) }
            try slot.noteVerified()
        }
        var entry = Report.Blob(blob, .fetched)
        entry.source = fetched.source?.description
        (entry.movedByteCount, entry.attempts) = (count, 1)
        record.outcome.withLock { [entry] outcome in
            outcome.fetchedByteCount += count
            outcome.records.note(entry)
        }
        progress(.blobAdvanced(blob.digest, byteCount: count))
        progress(.blobFinished(blob.digest))
    }

    private func fetch(_ planned: LayoutPlan.Blob, _ record: Record) async throws {
        let blob = planned.descriptor
        let slot = writer.slot(for: planned)
        if slot.prefixCount == 0, let fetched = self.planned[blob.digest] {
            return try await place(fetched, in: slot, record)
        }
        guard !sources[blob.digest].isEmpty else {
            throw Unavailable(error: unreadable(blob, record))
        }
        let kept = Atomic<Int64>(slot.prefixCount)
        let moved = Atomic<Int64>(0)
        let attempts = AttemptCount()
        func entry(_ status: Report.BlobStatus, from source: String?) -> Report.Blob {
            var entry = Report.Blob(blob, status)
            entry.source = source
            entry.movedByteCount = moved.load(ordering: .relaxed)
            entry.attempts = attempts.value
            return entry
        }
        func noteFailure(_ error: any Error, at source: String?) {
            record.outcome.withLock { outcome in
                var failed = entry(.failed, from: source)
                failed.cause = "\(error)"
                outcome.records.note(failed)
            }
        }
        var destination = BlobPlace { bytes, offset in
            let count = Int64(bytes.byteCount)
            try unsafe bytes.withUnsafeBytes { try unsafe slot.write($0, at: offset) }
            moved.add(count, ordering: .relaxed)
            record.outcome.withLock { $0.fetchedByteCount += count }
            progress(.blobAdvanced(blob.digest, byteCount: count))
        }
        destination.read = { try slot.add($0, to: $1) }
        destination.note = { try slot.note(prefix: $0) }
        destination.restarting = { lost in
            kept.store(0, ordering: .relaxed)
            progress(.blobAdvanced(blob.digest, byteCount: -lost))
        }
        destination.lost = { progress(.blobAdvanced(blob.digest, byteCount: -$0)) }
        /// Tries one place.
        func attempt(
            at source: String,
            _ fetch: (sending BlobPrefix?, BlobPlace) async throws -> Void
        ) async throws -> String {
            progress(.blobStarted(blob.digest, byteCount: blob.size))
            do {
                try await attempts.counting { try await fetch(try await prefix(of: slot), destination) }
            } catch let error as RegistryError {
                // Nothing that was wrong is gone on from.
                if error.isMismatch {
                    kept.store(0, ordering: .relaxed)
                    try slot.note(prefix: 0)
                }
                noteFailure(error, at: source)
                progress(.blobFailed(blob.digest))
                throw error
            }
            return source
        }
        do {
            let source: String
            do {
                source = try await health.ask(sources[blob.digest]) { place in
                    try await attempt(at: place.repository.description) { prefix, destination in
                        let client = place.client(client)
                        try await client.fetchBlob(blob, from: place.repository, after: prefix, into: destination)
                    }
                }
            } catch  where (error is RegistryError || error is PlacesError) && blob.isForeignLayer {
                source = try await askMakers(of: blob) { url, name in
                    try await attempt(at: name) { prefix, destination in
                        try await client.fetchForeignLayer(blob, from: url, after: prefix, into: destination)
                    }
                }
            }
            try slot.noteVerified()
            record.outcome.withLock { outcome in
                outcome.keptByteCount += kept.load(ordering: .relaxed)
                outcome.records.note(entry(.fetched, from: source))
            }
            progress(.blobFinished(blob.digest))
        } catch  where error is RegistryError || error is PlacesError {
            noteFailure(error, at: sources[blob.digest].last?.repository.description)
            throw Unavailable(error: error)
        }
    }

    /// Why a blob cannot be had that is in files alone.
    private func unreadable(_ blob: Descriptor, _ record: Record) -> any Error {
        let damage = record.outcome.withLock { $0.damaged[blob.digest] }
        let path = damage?.path ?? reused.first?.path ?? ""
        if let error = damage?.error, !error.isContentDamage { return error }
        return DrayageError(
            .unverified,
            "\(path): the blob \(blob.digest) is not what its digest says; drayage verify tells more"
        )
    }

    /// What is there of a blob, digested again; nil where there is nothing.
    private func prefix(of slot: LayoutSlot) async throws -> sending BlobPrefix? {
        let count = slot.prefixCount
        guard count > 0 else { return nil }
        let digest = slot.descriptor.digest
        return try await blocking { checkCancellation in
            let hasher = DigestHasher(algorithm: digest.algorithm)
            try slot.addPrefix(to: hasher, count: count) { count in
                try checkCancellation()
                progress(.blobAdvanced(digest, byteCount: count))
            }
            return BlobPrefix(hasher: hasher, byteCount: count)
        }
    }
}
