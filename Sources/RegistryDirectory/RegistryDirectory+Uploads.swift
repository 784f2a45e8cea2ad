import Glibc
package import OCI

extension RegistryDirectory {
    /// Begins an upload session.
    ///
    /// - Parameters:
    ///   - repository: the repository that is to have the blob.
    ///   - algorithm: how its bytes are hashed as they come; a commit by another algorithm reads them once more.
    /// - Returns: the session, which is in nobody's claim yet.
    /// - Throws: ``DirectoryError`` with `readOnly`, `noSpace` or the system's reason.
    package func openUpload(
        in repository: RepositoryPath,
        algorithm: Digest.Algorithm
    ) throws(DirectoryError) -> BlobUpload {
        try checkAccess()
        let id = UploadID.random()
        sessions.reserve(id)
        defer { sessions.release(id) }
        let upload = try BlobUpload(id, in: repository, algorithm, tree)
        sessions.add(upload, id)
        return upload
    }

    /// Finds an upload session by its name, also one from before a restart; nil where the repository has no such one.
    ///
    /// - Throws: ``DirectoryError`` with `readOnly` or the system's reason.
    package func upload(_ id: String, in repository: RepositoryPath) throws(DirectoryError) -> BlobUpload? {
        try checkAccess()
        guard let id = UploadID(parsing: id) else { return nil }
        return try sessions.find(id, in: repository, tree)
    }

    /// Removes the upload sessions that nobody holds and nothing was written to for a while, and what crashes left.
    ///
    /// - Parameters:
    ///   - age: how long nothing was written.
    ///   - now: the time since 1970.
    /// - Returns: how many were removed.
    /// - Throws: ``DirectoryError`` with `readOnly` or the system's reason.
    @discardableResult
    package func removeUploads(
        olderThan age: Duration,
        now: Duration = .sinceEpoch
    ) throws(DirectoryError) -> Int {
        try checkAccess()
        var count = 0
        for repository in try repositories(having: StoragePaths.uploads) {
            for name in try tree.names(in: tree.paths.uploads(repository)) ?? [] {
                guard let id = UploadID(parsing: name) else { continue }
                let path = tree.paths.upload(id, repository)
                let isTaken = try sessions.take(id) { () throws(DirectoryError) in
                    guard let last = try tree.lastWrite(path) else { return false }
                    return now - last >= age
                }
                guard isTaken else { continue }
                tree.removeTree(path)
                sessions.release(id)
                count += 1
            }
        }
        return count
    }

    /// Removes an upload, or whatever is among the uploads under its name.
    ///
    /// - Returns: false where it is not there any more, or is in use in this process.
    func removeUpload(_ name: String, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        let path = "\(tree.paths.uploads(repository))/\(name)"
        if let id = UploadID(parsing: name) {
            let isTaken = try sessions.take(id) { () throws(DirectoryError) in try tree.ownStatus(of: path) != nil }
            guard isTaken else { return false }
            defer { sessions.release(id) }
            tree.removeTree(path)
        } else {
            tree.removeTree(path)
        }
        return try tree.ownStatus(of: path) == nil
    }

    /// Runs a change with a directory in which its files are prepared, which is gone afterwards.
    func withStaging(
        in repository: RepositoryPath,
        _ body: (_ directory: String) throws(DirectoryError) -> Void
    ) throws(DirectoryError) {
        let id = UploadID.random()
        sessions.reserve(id)
        defer { sessions.release(id) }
        let directory = try tree.makeUpload(id, in: repository)
        defer { tree.removeTree(directory) }
        try body(directory)
    }
}

extension Duration {
    /// The time since 1970 by the system's clock.
    package static var sinceEpoch: Duration {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }
}
