import CLinux
import Glibc
import OCI

// What the removal of many things is made of: nothing here waits for the disk but the one call that does it for all.

extension StorageTree {
    /// Brings to disk what was changed on a file system; nothing to do where there is no such directory.
    func syncFileSystem(of directory: String) throws(DirectoryError) {
        let number = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            guard isMissing(errno) else { throw DirectoryError("opening it", .writing, path: directory) }
            return
        }
        defer { close(number) }
        guard linux_sync_file_system(number) == 0 else {
            throw DirectoryError("syncing its file system", .writing, path: directory)
        }
    }

    /// Refuses a repository whose path or one of whose parts is a symbolic link.
    func checkNoLink(in repository: RepositoryPath) throws(DirectoryError) {
        let path = paths.repository(repository)
        guard try ownStatus(of: path) != nil else { return }
        guard let root = realPath(paths.repositories), realPath(path) == "\(root)/\(repository)" else {
            throw DirectoryError(.symbolicLink, .removing, path: path)
        }
        for part in paths.structure(of: repository) where try ownStatus(of: part)?.isSymbolicLink ?? false {
            throw DirectoryError(.symbolicLink, .removing, path: part)
        }
    }

    /// Whether there is a directory under a name, and not a link to one.
    func isOwnDirectory(_ path: String) throws(DirectoryError) -> Bool { try ownStatus(of: path)?.isDirectory ?? false }

    // MARK: - Links

    /// Removes the link to a digest and its directory; false where there is no such link.
    func removeLinkUnsynced(to digest: Digest, in directory: String) throws(DirectoryError) -> Bool {
        guard try isOwnDirectory(directory), try unlink(digest, in: directory) else { return false }
        // Registries of old kept signatures beside it.
        removeTree(directory)
        return true
    }

    /// Removes the links to manifests from the history of a tag.
    func removeHistory(of digests: Set<Digest>, _ tag: Tag, _ repository: RepositoryPath) throws(DirectoryError) {
        let index = paths.index(tag, repository)
        guard try isOwnDirectory(paths.tag(tag, repository)), try isOwnDirectory(index) else { return }
        for digest in try self.digests(in: index) where digests.contains(digest) {
            let link = paths.index(tag, digest, repository)
            guard try isOwnDirectory(parentDirectory(of: link)) else { continue }
            removeTree(link)
        }
    }

    /// Removes the directories of links in which there is none any more.
    func removeEmptyLinks(in directory: String) throws(DirectoryError) {
        for digest in try digests(in: directory) { unsafe rmdir("\(directory)/\(StoragePaths.component(digest))") }
    }

    // MARK: - Blobs

    /// Removes the bytes of a blob, and gives their number; nil where there are none.
    ///
    /// Its directory stays; ``removeEmptyContents()`` is for all of them.
    func removeContent(_ digest: Digest) throws(DirectoryError) -> Int64? {
        let (directory, file) = (paths.content(digest), paths.data(digest))
        guard let status = try ownStatus(of: file) else { return nil }
        for path in [paths.blobs(digest.algorithm), parentDirectory(of: directory), directory] {
            guard try isOwnDirectory(path) else { throw DirectoryError(.symbolicLink, .removing, path: path) }
        }
        return try removeFile(file) ? Int64(status.st_size) : nil
    }

    /// Removes the directories of blobs that are gone, as far as possible: those of other removals as well.
    func removeEmptyContents() {
        for algorithm in Digest.Algorithm.allCases {
            for prefix in directories(in: paths.blobs(algorithm)) where prefix.utf8.count == 2 {
                let path = "\(paths.blobs(algorithm))/\(prefix)"
                for hex in directories(in: path) where hex.hasPrefix(prefix) {
                    guard let digest = try? Digest(parsing: "\(algorithm.rawValue):\(hex)") else { continue }
                    unsafe rmdir(paths.content(digest))
                }
                unsafe rmdir(path)
            }
        }
    }

    private func directories(in path: String) -> [String] {
        guard (try? isOwnDirectory(path)) ?? false, let entries = try? entries(in: path) else { return [] }
        return entries.filter { $0.kind == .directory }.map(\.name)
    }

    // MARK: - Repositories

    /// Removes the directories of a repository that has nothing in it, and those above that are empty then.
    ///
    /// - Parameter repository: the repository.
    /// - Returns: false where there was none.
    /// - Throws: ``DirectoryError`` with the system's reason, as where something unknown is in it, which stays. Other
    ///   repositories beneath it, and files beside its parts, are no reason.
    func removeEmptyRepository(_ repository: RepositoryPath) throws(DirectoryError) -> Bool {
        var path = paths.repository(repository)
        guard try isOwnDirectory(path) else { return false }
        for part in paths.structure(of: repository) {
            guard unsafe rmdir(part) == 0 || isMissing(errno) else {
                throw DirectoryError("removing", .removing, path: part)
            }
        }
        while path != paths.repositories, unsafe rmdir(path) == 0 { path = parentDirectory(of: path) }
        return true
    }
}
