import CLinux
import Glibc

/// The file under its provisional name, open, locked, and this process's alone.
///
/// The lock goes with the last reference, or with the process.
struct PartialFile: Sendable {
    let file: OpenFile
    /// The name that the file is to have.
    let finalPath: String

    /// How often another run may get in between.
    private static let attemptLimit = 100

    /// The provisional name.
    var path: String { file.path }

    /// Creates the file, in place of one that a killed run left behind.
    ///
    /// - Throws: ``LayoutError`` with `beingFilled` where another run holds it, `notRegularFile` where something else is
    ///   in its place, and with the system's reason where it cannot be created.
    static func create(for finalPath: String) throws(LayoutError) -> PartialFile {
        let path = finalPath + ".partial"
        for _ in 0..<attemptLimit {
            if let file = try open(path, O_CREAT | O_EXCL, absent: EEXIST) {
                let partial = PartialFile(file: file, finalPath: finalPath)
                do throws(LayoutError) {
                    try partial.lock()
                } catch {
                    // On a file system without locks nobody else has it either.
                    if case .system = error.code { partial.remove() }
                    throw error
                }
                // Between the two calls another run may have taken the file for a left-over and removed it.
                if try partial.isInPlace() { return partial }
            } else if let file = try open(path, O_NONBLOCK, absent: ENOENT) {
                if let kind = try file.status().irregularKind { throw file.error(.notRegularFile(kind: kind)) }
                let leftOver = PartialFile(file: file, finalPath: finalPath)
                try leftOver.lock()
                // It is removed, not emptied: whoever else has a hold of the old file has none of the new one.
                if try leftOver.isInPlace(), unsafe unlink(path) != 0 { throw file.failure("removing it") }
            }
        }
        throw LayoutError(.partialReplaced, .writing, path: path)
    }

    /// Whether the file is still the one under its provisional name.
    func isInPlace() throws(LayoutError) -> Bool {
        guard let found = try linkStatus(of: path) else { return false }
        return found.isSameFile(as: try file.status())
    }

    /// Gives the file its name, after everything in it is on disk.
    func publish(replaceExisting: Bool) throws(LayoutError) {
        guard fsync(file.descriptor) == 0 else { throw file.failure("syncing it") }
        guard try isInPlace() else { throw file.error(.partialReplaced) }
        if replaceExisting {
            guard unsafe rename(path, finalPath) == 0 else { throw file.failure("renaming it") }
        } else {
            try renameWithoutReplacing()
        }
        try syncDirectory()
    }

    /// Removes the file, unless it has its final name or is not ours any more.
    ///
    /// What fails is left: it does no harm.
    func remove() {
        do throws(LayoutError) {
            if try isInPlace() { unsafe unlink(path) }
        } catch {
            // The error that led here is the one to report.
        }
    }

    private func lock() throws(LayoutError) {
        if linux_lock_exclusive(file.descriptor) != 0 {
            guard errno == EAGAIN || errno == EACCES else { throw file.failure("locking it") }
            let owner = linux_lock_owner(file.descriptor)
            throw file.error(.beingFilled(processID: owner > 0 ? owner : nil))
        }
        guard linux_lock_sign(file.descriptor) == 0 else { throw file.failure("locking it") }
    }

    private func renameWithoutReplacing() throws(LayoutError) {
        if unsafe linux_rename_noreplace(path, finalPath) == 0 { return }
        // NFS knows no such rename; making a second name refuses to replace as well.
        if errno == EINVAL || errno == ENOSYS, unsafe link(path, finalPath) == 0 {
            unsafe unlink(path)
            return
        }
        if errno == EEXIST { throw LayoutError(.outputExists, .writing, path: finalPath) }
        throw file.failure("renaming it")
    }

    private func syncDirectory() throws(LayoutError) {
        let descriptor = unsafe Glibc.open(parentDirectory(of: finalPath), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory may be written to without being readable; then there is nothing to sync it by.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Some file systems have nothing to sync of a directory, and say so with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw LayoutError(.system(operation: "syncing its directory", errno: errno), .writing, path: finalPath)
        }
    }

    /// Opens the file; nil where the call fails with `absent`.
    private static func open(_ path: String, _ flags: Int32, absent: Int32) throws(LayoutError) -> OpenFile? {
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0o644)
        guard descriptor < 0 else { return OpenFile(descriptor: descriptor, path: path, operation: .writing) }
        switch errno {
        case absent: return nil
        case ELOOP: throw LayoutError(.notRegularFile(kind: "a symbolic link"), .writing, path: path)
        case EISDIR: throw LayoutError(.notRegularFile(kind: "a directory"), .writing, path: path)
        default: throw LayoutError(.system(operation: "creating it", errno: errno), .writing, path: path)
        }
    }
}

/// The directory in which a path ends.
func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// What is under a name, without following a link; nil where there is nothing.
func linkStatus(of path: String) throws(LayoutError) -> stat? {
    var status = stat()
    guard unsafe lstat(path, &status) != 0 else { return status }
    guard errno == ENOENT else {
        throw LayoutError(.system(operation: "looking for it", errno: errno), .writing, path: path)
    }
    return nil
}
