import Archive
import Glibc
import OCI
import Synchronization

/// A bundle that is being filled, under the name `<path>.partial`.
///
/// Everything in it has its final place from the beginning, so that blobs are written in any order by any number of
/// threads. A journal beside it says how far each is. End it with ``seal()``, ``keep()`` or ``abandon()``; what is left
/// behind by a run that was killed is an ``InterruptedLayout`` for the next.
package final class LayoutWriter: Sendable {
    /// The name that the bundle is to have.
    package let path: String

    let partial: PartialFile
    let journal: LayoutJournal
    private let replaceExisting: Bool
    private let indexes: [Digest: Int]
    private let windows: SmallBlobWindows
    private let current: Mutex<LayoutPlan>

    /// The plan that the file follows now.
    var plan: LayoutPlan { current.withLock { $0 } }

    /// The name of the file while it is being filled.
    package var partialPath: String { partial.path }

    private init(_ plan: LayoutPlan, _ partial: PartialFile, _ journal: LayoutJournal, replaceExisting: Bool) {
        path = partial.finalPath
        self.partial = partial
        self.journal = journal
        self.replaceExisting = replaceExisting
        indexes = Dictionary(plan.blobs.enumerated().map { ($1.descriptor.digest, $0) }) { first, _ in first }
        windows = SmallBlobWindows(plan) { journal[$0] == LayoutJournal.verified }
        current = Mutex(plan)
    }

    // MARK: - Beginning

    /// Refuses a name that could not be sealed: better before anything is fetched for it.
    ///
    /// - Throws: ``LayoutError`` with `outputExists`, with `notRegularFile` where something else than a file is there, or
    ///   with the system's reason where no file can be made in its directory.
    package static func checkOutput(_ path: String, replacesExisting: Bool) throws(LayoutError) {
        let directory = parentDirectory(of: path)
        guard unsafe access(directory + "/.", W_OK | X_OK) == 0 else {
            let operation = "its directory \(directory)"
            throw LayoutError(.system(operation: operation, errno: errno), .writing, path: path)
        }
        guard let status = try linkStatus(of: path) else { return }
        if let kind = status.irregularKind { throw LayoutError(.notRegularFile(kind: kind), .writing, path: path) }
        guard replacesExisting else {
            // Of a run that was killed right after it had given the file its name.
            try PartialFile.removeStrays(for: path)
            throw LayoutError(.outputExists, .writing, path: path)
        }
    }

    /// Creates the file, reserves its space, and writes all that is known already: every header and every document.
    ///
    /// - Parameters:
    ///   - plan: what goes where.
    ///   - requests: what was asked for, for whoever goes on with the file.
    ///   - path: the name of the bundle.
    ///   - replaceExisting: whether a bundle of that name is replaced, in the moment of sealing.
    /// - Throws: ``LayoutError`` when the name is taken, another run is filling the file, there is no space for it, or
    ///   the system refuses something. Nothing is left behind then.
    package convenience init(
        plan: LayoutPlan,
        requests: [LayoutRequest] = [],
        path: String,
        replaceExisting: Bool
    ) throws(LayoutError) {
        try Self.checkOutput(path, replacesExisting: replaceExisting)
        let record = JournalRecord(requests: requests, plan: plan)
        let partial = try PartialFile.create(for: path)
        let journal = try Self.begin(record, in: partial)
        self.init(plan, partial, journal, replaceExisting: replaceExisting)
    }

    /// Goes on with the file that an interrupted run left.
    ///
    /// - Throws: ``LayoutError`` when the name is taken, there is no space for the rest, or the system refuses something.
    ///   The file stays as it is then.
    package convenience init(continuing interrupted: InterruptedLayout, replaceExisting: Bool) throws(LayoutError) {
        let (plan, partial) = (interrupted.plan, interrupted.partial)
        try Self.checkOutput(partial.finalPath, replacesExisting: replaceExisting)
        try partial.file.reserve(plan.byteCount)
        try Self.write(try plan.skeleton, in: partial)
        // A run that was interrupted while it moved blobs has left some everywhere.
        try Self.writeGaps(of: plan, in: partial)
        self.init(plan, partial, interrupted.journal, replaceExisting: replaceExisting)
    }

    /// Takes over into a file of another plan what an interrupted run has of it; only then the old file goes.
    ///
    /// - Parameters:
    ///   - plan: what goes where.
    ///   - requests: what was asked for.
    ///   - interrupted: what is there.
    ///   - replaceExisting: whether a bundle of that name is replaced, in the moment of sealing.
    ///   - advanced: hears of each piece that was copied; what it throws ends the work.
    /// - Throws: what `advanced` throws, and ``LayoutError`` as when a file is created. The old file stays as it is then.
    package convenience init(
        plan: LayoutPlan,
        requests: [LayoutRequest],
        insteadOf interrupted: InterruptedLayout,
        replaceExisting: Bool,
        advanced: (_ byteCount: Int64) throws -> Void = { _ in }
    ) throws {
        try Self.checkOutput(interrupted.partial.finalPath, replacesExisting: replaceExisting)
        let record = JournalRecord(requests: requests, plan: plan)
        let successor = try PartialFile.createSuccessor(of: interrupted.partial)
        let journal = try Self.begin(record, in: successor)
        let partial: PartialFile
        do {
            let indexes = Dictionary(interrupted.plan.blobs.enumerated().map { ($1.descriptor, $0) }) { first, _ in
                first
            }
            for (index, blob) in plan.blobs.enumerated() {
                guard let old = indexes[blob.descriptor] else { continue }
                let slot = LayoutSlot(file: successor.file, blob: blob, journal: journal, index: index)
                try slot.copy(from: interrupted, index: old, advanced: advanced)
            }
            try journal.checkpoint(successor)
            partial = try successor.succeed(interrupted.partial)
        } catch {
            successor.remove()
            throw error
        }
        self.init(plan, partial, journal, replaceExisting: replaceExisting)
    }

    private static func begin(_ record: JournalRecord, in partial: PartialFile) throws(LayoutError) -> LayoutJournal {
        do throws(LayoutError) {
            if partial.path != partial.successorPath { try partial.removeSuccessor() }
            // Made meanwhile: each of thousands of headers takes a while.
            let skeleton = Eager { () -> Result<_, LayoutError> in
                Result { () throws(LayoutError) in try record.plan.skeleton }
            }
            let journal = try LayoutJournal.create(record, of: partial)
            try partial.file.reserve(record.plan.byteCount)
            try write(try skeleton.value.get(), in: partial)
            return journal
        } catch {
            partial.remove()
            throw error
        }
    }

    /// From how many bytes on no more is written together.
    private static let togetherByteCount = 64 << 10

    private static func write(
        _ skeleton: [(offset: Int64, bytes: [UInt8])],
        in partial: PartialFile
    ) throws(LayoutError) {
        // Documents lie together, and there are thousands of them.
        var (start, together): (Int64, [UInt8]) = (0, [])
        for (offset, bytes) in skeleton {
            if offset != start + Int64(together.count) || together.count >= togetherByteCount {
                try partial.file.write(together, at: start)
                start = offset
                together.removeAll(keepingCapacity: true)
            }
            together += bytes
        }
        try partial.file.write(together, at: start)
    }

    // MARK: - Filling and ending

    /// The place of a blob of the plan.
    package func slot(for blob: LayoutPlan.Blob) -> LayoutSlot {
        let index = indexes[blob.descriptor.digest] ?? 0
        return LayoutSlot(file: partial.file, blob: blob, journal: journal, index: index, windows: windows)
    }

    /// Brings to disk what has been written so far, so that it counts after a power cut as well; it takes its time.
    package func checkpoint() throws(LayoutError) { try journal.checkpoint(partial) }

    /// Ends the file: everything is on disk before it appears under its name, whole.
    ///
    /// - Throws: ``LayoutError`` with `outputExists` when a file of that name appeared meanwhile and is not to be
    ///   replaced; else with the system's reason. The partial file is kept then.
    package func seal() throws(LayoutError) {
        try checkpoint()
        try partial.publish(replaceExisting: replaceExisting)
        // Last: a file that is not known to be done is never without one, whatever is brought to disk first.
        journal.remove(of: partial)
    }

    /// Leaves the file for the next run, if anything of it is worth that.
    ///
    /// - Returns: whether it is there.
    package func keep() -> Bool {
        guard !journal.isEmpty else {
            partial.remove()
            return false
        }
        // Without a checkpoint it counts until the machine stops.
        try? checkpoint()
        return true
    }

    /// Removes the file; after ``seal()`` it does nothing.
    package func abandon() { partial.remove() }

    /// Takes over a plan by which everything now is in its place.
    func follow(_ plan: LayoutPlan) { current.withLock { $0 = plan } }
}
