import Glibc
import OCI
import Synchronization

extension StorageTree {
    /// How many directories are remembered: of a large registry not all.
    private static let durableLimit = 4096

    /// Makes a directory that many files share, and those above it, and waits until all of them are on disk.
    func makeDirectory(_ path: String) throws(DirectoryError) {
        guard path != paths.root else { return }
        let isNew = try makeEntry(path)
        if !isNew, durable.withLock({ $0.contains(path) }) { return }
        // Another thread, or a process that was killed, may have made it and not have come to syncing it.
        let parent = parentDirectory(of: path)
        try makeDirectory(parent)
        try sync(directory: parent)
        durable.withLock { durable in
            if durable.count >= Self.durableLimit { durable = [] }
            durable.insert(path)
        }
    }

    /// Makes a directory that one file has for itself, and waits until it is on disk.
    func makeLeaf(_ path: String) throws(DirectoryError) {
        let parent = parentDirectory(of: path)
        try makeDirectory(parent)
        _ = try makeEntry(path)
        try sync(directory: parent)
    }

    /// Makes a directory, and those above it where they are missing; false when it was there.
    private func makeEntry(_ path: String) throws(DirectoryError) -> Bool {
        var result = makeOne(path)
        if result == ENOENT {
            try makeDirectory(parentDirectory(of: path))
            result = makeOne(path)
        }
        guard result == 0 || result == EEXIST else {
            throw DirectoryError("making it", .writing, path: path, errno: result)
        }
        return result == 0
    }

    /// Makes one directory, and gives the value of `errno` when it fails.
    private func makeOne(_ path: String) -> Int32 { unsafe mkdir(path, 0o777) == 0 ? 0 : errno }

    /// Waits until the entries of a directory are on disk.
    func sync(directory path: String) throws(DirectoryError) {
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            // A directory may be written to without being readable; then there is nothing to sync it by.
            guard errno != EACCES else { return }
            throw DirectoryError("syncing it", .writing, path: path)
        }
        defer { close(number) }
        // Some file systems have nothing to sync of a directory, and say so with EINVAL.
        guard fsync(number) == 0 || errno == EINVAL else { throw DirectoryError("syncing it", .writing, path: path) }
    }

    /// Creates a file that nobody else has.
    func createFile(_ path: String) throws(DirectoryError) -> StorageFile {
        let number = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
        guard number >= 0 else { throw DirectoryError("creating it", .writing, path: path) }
        return StorageFile(Descriptor(number), path: path)
    }

    /// Creates a file with all its bytes.
    func createFile(_ path: String, _ bytes: [UInt8]) throws(DirectoryError) -> StorageFile {
        let file = try createFile(path)
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(DirectoryError) in
            try unsafe file.write(UnsafeRawBufferPointer(buffer), at: 0)
        }
        return file
    }

    /// Gives a file or a directory another name, in the place of a file that has it.
    func move(_ path: String, to target: String) throws(DirectoryError) {
        guard unsafe rename(path, target) != 0 else { return }
        guard errno != EXDEV else { throw DirectoryError(.otherFileSystem(target: target), .writing, path: path) }
        throw DirectoryError("renaming to it", .writing, path: target)
    }

    /// Removes a file; false where there is none.
    func removeFile(_ path: String) throws(DirectoryError) -> Bool {
        if unsafe Glibc.unlink(path) == 0 { return true }
        guard isMissing(errno) else { throw DirectoryError("removing it", .removing, path: path) }
        return false
    }

    /// Removes the link to a digest and its directory, on disk; false where there is no such link.
    func removeLink(to digest: Digest, in directory: String) throws(DirectoryError) -> Bool {
        guard try unlink(digest, in: directory) else { return false }
        try sync(directory: directory)
        removeTree(directory)
        return true
    }

    /// Removes the link to a digest; false where there is no such link.
    func unlink(_ digest: Digest, in directory: String) throws(DirectoryError) -> Bool {
        guard try link(in: directory) == digest else { return false }
        return try removeFile(directory + "/link")
    }

    /// Removes a file or a directory with everything in it, as far as possible: what stays is no harm.
    ///
    /// Links are removed, not followed.
    func removeTree(_ path: String) {
        guard unsafe Glibc.unlink(path) != 0, errno == EISDIR || errno == EPERM else { return }
        for name in (try? names(in: path)) ?? [] { removeTree("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
