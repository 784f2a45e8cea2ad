import Glibc
import OCI

/// The root directory of a registry, in the filesystem layout of docker-distribution.
///
/// The same directory can be mounted under a real `docker-registry`, and back again. Every call may block. What a call
/// has changed when it returns survives a crash and a power cut, and nothing is visible before it is whole. The lock on
/// the directory goes with the last reference to this value and to its uploads, or with the process.
package final class RegistryDirectory: Sendable {
    /// What is to be done with the directory.
    package enum Access: Hashable, Sendable {
        case readWrite
        case readOnly
    }

    /// The directory's path, as it was given.
    package let path: String
    /// Whether others are kept out; false on a file system without locks, such as some NFS.
    package let isLocked: Bool

    let tree: StorageTree
    let sessions = UploadSessions()
    private let access: Access

    /// Opens a directory that holds a registry or nothing, and locks it: for one writer, or for any number of readers.
    ///
    /// The lock leaves nothing on disk, and other programs do not respect it.
    ///
    /// - Parameters:
    ///   - path: the registry's root directory, which exists.
    ///   - access: what is to be done with it.
    /// - Throws: ``DirectoryError`` with `notDirectory`, `notRegistry`, `imageLayout` or `withinRegistry` when it is no
    ///   place for a registry, `inUse` when another has it open, else with the system's reason.
    package init(path: String, access: Access) throws(DirectoryError) {
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            guard errno == ENOTDIR else { throw DirectoryError("opening", .opening, path: path) }
            throw DirectoryError(.notDirectory, .opening, path: path)
        }
        let root = Descriptor(number)
        tree = StorageTree(path: path, root: root)
        self.path = path
        self.access = access
        try tree.checkRoot(forWriting: access == .readWrite)
        isLocked = try root.lock(isExclusive: access == .readWrite, path: path)
    }

    /// Gives the lock back, by whoever has the last reference: nothing may be done with this value afterwards.
    package func unlock() { tree.unlock() }

    /// Refuses a change of what was opened for reading only.
    func checkAccess() throws(DirectoryError) {
        guard access == .readWrite else { throw DirectoryError(.readOnly, .writing, path: path) }
    }
}

extension Descriptor {
    /// Locks a directory without waiting; false where the file system knows no locks.
    fileprivate func lock(isExclusive: Bool, path: String) throws(DirectoryError) -> Bool {
        while flock(number, (isExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: throw DirectoryError(.inUse, .opening, path: path)
            // NFS has them for files that are open for writing, which no directory is, or not at all.
            case ENOTSUP, EBADF, ENOLCK, EINVAL, ENOSYS: return false
            default: throw DirectoryError("locking it", .opening, path: path)
            }
        }
        return true
    }
}
