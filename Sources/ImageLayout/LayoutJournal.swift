import Glibc
import OCI
import Synchronization

/// What is known of a bundle while it is filled, in a file beside it: its plan, and how far each blob is.
///
/// The plan is on disk before the bundle takes any space. How far a blob has been written is noted at once and counts as
/// long as the machine runs; what has been synced is noted only when it has been, and counts after a power cut as well.
///
///     drayage.journal.v2 <digest of the plan> <bytes of the plan>
///     <the plan: JSON, then the bytes of the index and of the documents as they are in the bundle>
///     <phase, 8 bytes> <boot, 16 bytes> <for each blob: written, 8 bytes> <for each blob: synced, 8 bytes>
///
/// Numbers are little-endian and lie where no sector's border divides them. The beginning of its digest stands for a
/// blob that is whole and verified.
final class LayoutJournal: Sendable {
    /// What the bundle's file is just now.
    ///
    /// The numbers differ in every byte, so that a byte that is damaged makes none of them another.
    enum Phase: Int64 {
        /// Nothing of it has been synced.
        case begun = 0x1111_1111_1111_1111
        /// Its headers and documents are on disk, and what the journal says of the blobs.
        case synced = 0x2222_2222_2222_2222
        /// Blobs are moved within it, so that none is sure to be whole.
        case compacting = 0x4444_4444_4444_4444
    }

    /// Stands for a blob that is whole and verified; any other number is the length of what is there of its beginning.
    static let verified: Int64 = -1
    /// What need not be noted at once: a killed run fetches so much of a blob again.
    private static let grain: Int64 = 64 << 10

    let file: OpenFile
    private let table: JournalTable
    private let state: Mutex<State>
    /// One checkpoint at a time; where one has failed, why.
    private let checkpoints = Mutex<LayoutError?>(nil)

    private struct State {
        var phase: Phase
        /// How far each blob is.
        var written: [Int64]
        /// What the file says of that.
        var noted: [Int64]
    }

    private init(file: OpenFile, table: JournalTable, phase: Phase, written: [Int64]) {
        self.file = file
        self.table = table
        state = Mutex(State(phase: phase, written: written, noted: written))
    }

    /// The name of the journal of a file.
    static func path(of partial: String) -> String { partial + ".journal" }

    // MARK: - Making and opening

    /// Makes the journal of a new bundle, in place of any that is there, and brings it to disk.
    static func create(_ record: JournalRecord, of partial: PartialFile) throws(LayoutError) -> LayoutJournal {
        let path = path(of: partial.path)
        try remove(of: partial.path)
        guard let file = try PartialFile.open(path, O_CREAT | O_EXCL, absent: EEXIST) else {
            let kind = try linkStatus(of: path)?.irregularKind
            let code = kind.map { LayoutError.Code.notRegularFile(kind: $0) }
            throw LayoutError(code ?? .notContinuable(reason: "it is no journal of ours"), .writing, path: path)
        }
        let head = try record.encoded()
        let table = JournalTable(offset: head.count, blobs: record.plan.blobs)
        let written = [Int64](repeating: 0, count: record.plan.blobs.count)
        try file.write(head, at: 0)
        try file.write(
            table.bytes(phase: .begun, boot: Boot.current, written: written, synced: written),
            at: table.offset
        )
        guard fsync(file.descriptor) == 0 else { throw file.failure("syncing it") }
        try partial.syncDirectory()
        return LayoutJournal(file: file, table: table, phase: .begun, written: written)
    }

    /// Opens the journal of a file that an interrupted run left.
    ///
    /// - Parameters:
    ///   - partial: the file.
    ///   - path: the name of the journal; nil where it has the one that it ought to have.
    /// - Returns: nil where nothing of that file can be relied on, because nothing had been synced when the power was cut.
    /// - Throws: ``LayoutError`` with `notContinuable` where there is no journal or it is damaged.
    static func open(
        of partial: PartialFile,
        at path: String? = nil
    ) throws(LayoutError) -> (JournalRecord, LayoutJournal)? {
        let path = path ?? Self.path(of: partial.path)
        if let kind = try linkStatus(of: path)?.irregularKind {
            throw partial.file.error(.notContinuable(reason: "its journal is \(kind)"))
        }
        guard let file = try PartialFile.open(path, O_NONBLOCK, absent: ENOENT) else {
            throw partial.file.error(.notContinuable(reason: "there is no journal beside it"))
        }
        try file.requireOwn()
        guard let (record, tableOffset) = try JournalRecord.read(from: file) else {
            throw partial.file.error(.notContinuable(reason: try JournalRecord.fault(of: file)))
        }
        let table = JournalTable(offset: tableOffset, blobs: record.plan.blobs)
        guard let found = try table.read(from: file) else {
            throw partial.file.error(.notContinuable(reason: "its journal is damaged"))
        }
        let isSameBoot = found.boot == Boot.current && found.boot != Boot.none
        guard isSameBoot || found.phase != .begun else { return nil }
        let written = zip(found.written, found.synced).map { written, synced -> Int64 in
            if synced == verified, found.phase == .synced { return verified }
            let count = isSameBoot ? written : synced
            // What was not synced, or may have been moved since, has to prove itself by its digest.
            return count == verified ? .max : count
        }
        return (record, LayoutJournal(file: file, table: table, phase: found.phase, written: written))
    }

    /// Takes the journal's states for true of this run, as far as the file and the plan allow, and brings both to disk.
    ///
    /// - Throws: ``LayoutError`` with `notContinuable` where the file is shorter than what had been synced of it, or with
    ///   the system's reason.
    func adopt(_ plan: LayoutPlan, of partial: PartialFile) throws(LayoutError) {
        let end = try partial.file.byteCount()
        let written = state.withLock { $0.written }
        var adopted: [Int64] = []
        for (blob, count) in zip(plan.blobs, written) {
            let size = blob.descriptor.size
            let present = min(max(end - blob.offset, 0), size)
            guard count != Self.verified || present == size else {
                throw partial.file.error(.notContinuable(reason: "it is shorter than its journal says"))
            }
            adopted.append(count == Self.verified ? count : min(max(count, 0), present))
        }
        let bytes = table.bytes(phase: phase, boot: Boot.current, written: adopted, synced: adopted)
        try checkpoint(partial) { () throws(LayoutError) in
            try partial.file.syncData()
            try file.write(bytes, at: table.offset)
            try file.syncData()
        }
        state.withLock { state in
            (state.written, state.noted) = (adopted, adopted)
            // Nothing is moved any more.
            if state.phase == .compacting { state.phase = .begun }
        }
    }

    // MARK: - Removing

    /// Removes the journal of a bundle that is done, unless another run has made one of its own meanwhile.
    ///
    /// One that stays does no harm.
    func remove(of partial: PartialFile) {
        let path = Self.path(of: partial.path)
        if (try? linkStatus(of: path)?.isSameFile(as: file.status())) == true { unsafe unlink(path) }
    }

    /// Removes the journal of a file that is not to be gone on with; what is none stays.
    static func remove(of partial: String) throws(LayoutError) {
        let path = path(of: partial)
        guard let status = try linkStatus(of: path), status.irregularKind == nil,
            let file = try PartialFile.open(path, O_NONBLOCK, absent: ENOENT)
        else { return }
        // One that had not been synced may have come out of a power cut empty, or as zeros.
        let start = try file.bytes(in: 0..<min(try file.byteCount(), Int64(JournalRecord.family.utf8.count)))
        if start == Array(JournalRecord.family.utf8) || start.allSatisfy({ $0 == 0 }) { unsafe unlink(path) }
    }

    // MARK: - States

    /// What the file is just now.
    var phase: Phase { state.withLock { $0.phase } }

    /// How far a blob is: ``verified``, or how much of its beginning is there.
    subscript(index: Int) -> Int64 { state.withLock { $0.written[index] } }

    /// Whether nothing has been written of any blob.
    var isEmpty: Bool { state.withLock { $0.written.allSatisfy { $0 == 0 } } }

    /// Notes how far a blob is; small steps are noted together.
    func note(_ count: Int64, of index: Int) throws(LayoutError) {
        let isNoted = state.withLock { state in
            state.written[index] = count
            let last = state.noted[index]
            guard count <= 0 || last < 0 || count < last || count - last >= Self.grain else { return false }
            state.noted[index] = count
            return true
        }
        if isNoted { try file.write(table.bytes(of: count, index: index), at: table.writtenOffset(index)) }
    }

    /// Brings to disk what has been written of the bundle, then what is known of it.
    func checkpoint(_ partial: PartialFile) throws(LayoutError) {
        try checkpoint(partial) { () throws(LayoutError) in
            let written = try noteAll()
            try partial.file.syncData()
            // After a compaction has begun nothing is sure any more.
            guard phase != .compacting else { return }
            try file.write(table.bytes(of: written), at: table.syncedOffset(0))
            try note(.synced)
            try file.syncData()
        }
    }

    /// Notes what was too little to be noted at once.
    ///
    /// - Returns: how far each blob is.
    private func noteAll() throws(LayoutError) -> [Int64] {
        // Within the lock: a blob's own thread must not note more of it meanwhile.
        try state.withLock { state throws(LayoutError) in
            for (index, count) in state.written.enumerated() where state.noted[index] != count {
                try file.write(table.bytes(of: count, index: index), at: table.writtenOffset(index))
                state.noted[index] = count
            }
            return state.written
        }
    }

    /// Where it fails it fails for good: the system tells once of what it could not write, and then takes it for written.
    private func checkpoint(
        _ partial: PartialFile,
        _ body: () throws(LayoutError) -> Void
    ) throws(LayoutError) {
        try checkpoints.withLock { failure throws(LayoutError) in
            if let failure { throw failure }
            do throws(LayoutError) {
                try body()
            } catch {
                failure = error
                // As after a power cut only what was synced counts, and nothing else is to be read, or written upon.
                try? file.write(Boot.none, at: table.bootOffset)
                posix_fadvise(partial.file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
                throw error
            }
        }
    }

    /// Notes that blobs are going to be moved: should that be interrupted, each has to prove itself.
    func beginCompaction() throws(LayoutError) {
        try checkpoints.withLock { _ throws(LayoutError) in
            try note(.compacting)
            try file.syncData()
        }
    }

    private func note(_ phase: Phase) throws(LayoutError) {
        state.withLock { $0.phase = phase }
        try file.write(JournalTable.bytes(of: phase), at: table.offset)
    }
}
