import OCI
import Synchronization

/// The upload sessions that are in memory, with their hashers: an unfinished digest is not on disk.
final class UploadSessions: Sendable {
    struct Table {
        var uploads: [UploadID: BlobUpload] = [:]
        /// When each was last asked for.
        var uses: [UploadID: UInt64] = [:]
        /// Names in use for something else than a session of the table, or being removed.
        var reserved: Set<UploadID> = []
        var clock: UInt64 = 0
    }

    /// How many are kept while nobody holds them, as each has an open file; the others continue from disk.
    fileprivate static let idleLimit = 128

    private let table = Mutex(Table())

    /// Keeps a name from being taken for a left-over.
    func reserve(_ id: UploadID) { table.withLock { _ = $0.reserved.insert(id) } }

    /// Gives a name free.
    func release(_ id: UploadID) { table.withLock { _ = $0.reserved.remove(id) } }

    /// Adds a session.
    func add(_ upload: BlobUpload, _ id: UploadID) { table.withLock { $0.add(upload, id) } }

    /// Finds a session, or continues one from disk; nil where there is none.
    func find(_ id: UploadID, in repository: RepositoryPath, _ tree: StorageTree) throws(DirectoryError) -> BlobUpload?
    {
        try table.withLock { table throws(DirectoryError) -> BlobUpload? in
            if let upload = table.uploads[id], !upload.hasEnded.load(ordering: .acquiring) {
                guard upload.repository == repository else { return nil }
                table.use(id)
                return upload
            }
            guard !table.reserved.contains(id) else { return nil }
            guard let upload = try BlobUpload(continuing: id, in: repository, tree) else { return nil }
            table.add(upload, id)
            return upload
        }
    }

    /// Forgets a session and reserves its name, unless somebody holds it or the condition does not hold.
    ///
    /// - Parameters:
    ///   - id: the session's name.
    ///   - condition: what must hold once nobody can come to hold the session any more.
    /// - Returns: whether it is now the caller's to remove.
    /// - Throws: what the condition throws.
    func take(_ id: UploadID, if condition: () throws(DirectoryError) -> Bool) throws(DirectoryError) -> Bool {
        try table.withLock { table throws(DirectoryError) in
            guard !table.reserved.contains(id), table.isIdle(id), try condition() else { return false }
            table.forget(id)
            table.reserved.insert(id)
            return true
        }
    }
}

extension UploadSessions.Table {
    fileprivate mutating func add(_ upload: BlobUpload, _ id: UploadID) {
        for (id, upload) in uploads where upload.hasEnded.load(ordering: .acquiring) { forget(id) }
        uploads[id] = upload
        use(id)
        guard uploads.count > UploadSessions.idleLimit else { return }
        for (id, _) in uses.sorted(by: { $0.value < $1.value }) where isIdle(id) { return forget(id) }
    }

    fileprivate mutating func use(_ id: UploadID) {
        clock += 1
        uses[id] = clock
    }

    fileprivate mutating func forget(_ id: UploadID) {
        uploads[id] = nil
        uses[id] = nil
    }

    /// Whether nobody but the table holds a session, or there is none.
    fileprivate mutating func isIdle(_ id: UploadID) -> Bool {
        uploads[id] == nil || isKnownUniquelyReferenced(&uploads[id])
    }
}
