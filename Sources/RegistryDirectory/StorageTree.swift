import Glibc
import OCI
import Synchronization

/// The files of a registry, beneath a root directory that stays open, and locked, as long as this value.
final class StorageTree: Sendable {
    let paths: StoragePaths
    /// The directories that this process knows to be on disk with everything above them.
    let durable = Mutex<Set<String>>([])

    private let root: Descriptor
    /// Repositories share locks; two that do merely wait for each other.
    private let locks = (0..<64).map { _ in RepositoryLock() }

    private final class RepositoryLock: Sendable {
        let mutex = Mutex(())
    }

    init(path: String, root: Descriptor) {
        paths = StoragePaths(root: path)
        self.root = root
    }

    // Closing is not enough: a program that is just being started has the root, too, until it runs.
    deinit { unlock() }

    /// Gives the lock on the root back.
    func unlock() { _ = flock(root.number, LOCK_UN) }

    /// Runs a change of a repository while no other change of it runs.
    func changing<Result: Sendable>(
        _ repository: RepositoryPath,
        _ body: () throws(DirectoryError) -> Result
    ) throws(DirectoryError) -> Result {
        let lock = locks[Int(UInt(bitPattern: repository.hashValue) % UInt(locks.count))]
        return try lock.mutex.withLock { _ throws(DirectoryError) in try body() }
    }
}

/// An open file or directory, closed with the last reference.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit { close(number) }
}
