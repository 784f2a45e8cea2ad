import Glibc

extension PartialFile {
    /// The name of a file that is made to take this one's place.
    var successorPath: String { Self.path(of: finalPath) + ".refresh" }

    /// Creates the file that is to take the place of one that an interrupted run left.
    static func createSuccessor(of partial: PartialFile) throws(LayoutError) -> PartialFile {
        try create(partial.successorPath, for: partial.finalPath)
    }

    /// Takes the place of the file that an interrupted run left, after everything in both is on disk.
    ///
    /// - Returns: the same file under its new name.
    func succeed(_ old: PartialFile) throws(LayoutError) -> PartialFile {
        guard try old.isInPlace() else { throw old.file.error(.partialReplaced) }
        guard unsafe rename(path, old.path) == 0 else { throw file.failure("renaming it") }
        // The file first, also on disk: it is how ``settleSuccession()`` knows.
        try syncDirectory()
        try old.takeJournal(of: path)
        // Its space is needed for what is still to come, and it is open to the end.
        if try old.file.status().st_nlink == 0 { ftruncate(old.file.descriptor, 0) }
        return PartialFile(file: file, path: old.path, finalPath: finalPath)
    }

    /// Ends what a run was killed in that put this file in the place of another: its journal has to follow it.
    func settleSuccession() throws(LayoutError) {
        guard try linkStatus(of: successorPath) == nil,
            try linkStatus(of: LayoutJournal.path(of: successorPath)) != nil
        else { return }
        // Who removed a successor by hand has left its journal, which is not of this file.
        if try owns(journalOf: successorPath) { try takeJournal(of: successorPath) }
    }

    /// Removes what a run was killed in that was making a file to take this one's place.
    func removeSuccessor() throws(LayoutError) {
        let journal = LayoutJournal.path(of: successorPath)
        let hasJournal = try linkStatus(of: journal) != nil
        if let status = try linkStatus(of: successorPath) {
            // Without a journal it is somebody else's; ours was made empty.
            guard status.irregularKind == nil, status.st_size == 0 || hasJournal else { return }
            if let file = try Self.open(successorPath, O_NONBLOCK, absent: ENOENT) {
                PartialFile(file: file, path: successorPath, finalPath: finalPath).remove()
            }
        }
        try LayoutJournal.remove(of: successorPath)
    }

    private func owns(journalOf path: String) throws(LayoutError) -> Bool {
        do throws(LayoutError) {
            guard let (record, journal) = try LayoutJournal.open(of: self, at: LayoutJournal.path(of: path)) else {
                return false
            }
            // A successor is synced before it is renamed.
            guard journal.phase == .synced else { return false }
            return try InterruptedLayout.hasSkeleton(of: record.plan, self, phase: journal.phase)
        } catch {
            guard case .notContinuable = error.code else { throw error }
            return false
        }
    }

    private func takeJournal(of old: String) throws(LayoutError) {
        guard unsafe rename(LayoutJournal.path(of: old), LayoutJournal.path(of: path)) == 0 else {
            throw LayoutError(.system(operation: "renaming its journal", errno: errno), .writing, path: path)
        }
        try syncDirectory()
    }
}
