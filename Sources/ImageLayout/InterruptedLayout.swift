package import OCI

/// A bundle that an interrupted run left unfinished: locked by us, and known by its journal.
///
/// Hand it to a ``LayoutWriter``, or let it go; the files stay then.
package final class InterruptedLayout: Sendable {
    /// The plan that it follows.
    package let plan: LayoutPlan
    /// What was asked for.
    package let requests: [LayoutRequest]

    let partial: PartialFile
    let journal: LayoutJournal

    /// The name of the file.
    package var path: String { partial.path }

    /// The manifests and indexes that it holds.
    package var documents: [Digest: Document] {
        Dictionary(plan.documents.map { ($0.descriptor.digest, $0) }) { first, _ in first }
    }

    private init(partial: PartialFile, record: JournalRecord, journal: LayoutJournal) {
        self.partial = partial
        self.journal = journal
        plan = record.plan
        requests = record.requests
    }

    /// Opens what an interrupted run left of a bundle, and locks it.
    ///
    /// - Parameter path: the name that the bundle is to have.
    /// - Returns: nil where there is nothing to go on with.
    /// - Throws: ``LayoutError`` with `notContinuable` for a file that is not ours or is damaged, `beingFilled` where
    ///   another run holds it, `notRegularFile`, or with the system's reason. Nothing is changed then.
    package static func open(for path: String) throws(LayoutError) -> InterruptedLayout? {
        guard let partial = try PartialFile.existing(for: path) else { return nil }
        guard try partial.file.byteCount() > 0 else {
            partial.remove()
            return nil
        }
        try partial.settleSuccession()
        guard let (record, journal) = try LayoutJournal.open(of: partial) else {
            partial.remove()
            return nil
        }
        guard try hasSkeleton(of: record.plan, partial, phase: journal.phase) else {
            throw partial.file.error(.notContinuable(reason: "it is not the file that its journal describes"))
        }
        try journal.adopt(record.plan, of: partial)
        try partial.removeSuccessor()
        return InterruptedLayout(partial: partial, record: record, journal: journal)
    }

    /// The bytes that need not be fetched again, as far as they verify.
    package var byteCount: Int64 {
        plan.blobs.indices.reduce(0) { $0 + min(presentCount(of: $1), plan.blobs[$1].descriptor.size) }
    }

    /// How many bytes of the beginning of a blob are there.
    func presentCount(of index: Int) -> Int64 {
        let count = journal[index]
        return count == LayoutJournal.verified ? plan.blobs[index].descriptor.size : count
    }

    /// Whether a file has what must be in it whatever was fetched.
    static func hasSkeleton(
        of plan: LayoutPlan,
        _ partial: PartialFile,
        phase: LayoutJournal.Phase
    ) throws(LayoutError) -> Bool {
        // While blobs are moved the headers are as well.
        guard phase != .compacting else { return true }
        let end = try partial.file.byteCount()
        for (offset, bytes) in try plan.skeleton {
            let found = try partial.file.bytes(in: offset..<max(offset, min(offset + Int64(bytes.count), end)))
            guard found != bytes else { continue }
            // What a run was killed in before it had written, or before that was on disk, is not there or is zeros.
            guard phase == .begun, zip(found, bytes).allSatisfy({ $0 == $1 || $0 == 0 }) else { return false }
        }
        return true
    }
}
