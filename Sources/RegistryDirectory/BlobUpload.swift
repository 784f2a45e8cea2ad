import Glibc
import OCI
import Synchronization

/// An upload session: a blob that arrives in any number of pieces, from any number of requests one after the other.
///
/// It ends with ``commit(as:claim:)`` or ``cancel()``; until then it is on disk, and survives this process.
package final class BlobUpload: Sendable {
    /// What a request holds of a session, until another request takes it over.
    package struct Claim: Hashable, Sendable {
        let number: UInt64
    }

    struct State {
        /// Nil once the session has ended.
        var file: StorageFile?
        /// How the bytes are hashed as they come.
        var algorithm: Digest.Algorithm
        /// Has seen every byte; nil where they must be read again for that.
        var hasher: DigestHasher?
        var claim: UInt64 = 0
    }

    /// The name of the session in its location.
    package let id: String
    /// How many bytes are there.
    package var byteCount: Int64 { count.load(ordering: .acquiring) }

    let repository: RepositoryPath
    let tree: StorageTree
    /// The session's own directory.
    let directory: String
    /// Whether nothing of the session is left.
    let hasEnded = Atomic(false)
    /// Whether it is being stored or hashed anew, which may take long: nobody is to wait for the lock meanwhile.
    let isBusy = Atomic(false)

    let state: Mutex<State>
    let count: Atomic<Int64>

    /// Begins a session.
    init(_ id: UploadID, in repository: RepositoryPath, _ algorithm: Digest.Algorithm, _ tree: StorageTree)
        throws(DirectoryError)
    {
        directory = try tree.makeUpload(id, in: repository)
        let file: StorageFile
        do throws(DirectoryError) {
            file = try tree.createFile(directory + "/data")
        } catch {
            tree.removeTree(directory)
            throw error
        }
        self.id = id.description
        self.repository = repository
        self.tree = tree
        state = Mutex(State(file: file, algorithm: algorithm, hasher: DigestHasher(algorithm: algorithm)))
        count = Atomic(0)
    }

    /// Continues a session that another process, or this one some time ago, has left on disk; nil where there is none.
    init?(continuing id: UploadID, in repository: RepositoryPath, _ tree: StorageTree) throws(DirectoryError) {
        directory = tree.paths.upload(id, repository)
        let path = directory + "/data"
        let number = unsafe open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            guard isMissing(errno) || [EISDIR, ELOOP, ENXIO].contains(errno) else {
                throw DirectoryError("opening it", .writing, path: path)
            }
            return nil
        }
        let file = StorageFile(Descriptor(number), path: path)
        guard try file.status().isRegular else { return nil }
        self.id = id.description
        self.repository = repository
        self.tree = tree
        state = Mutex(State(file: file, algorithm: .sha256, hasher: nil))
        count = Atomic(try file.byteCount)
    }
}
