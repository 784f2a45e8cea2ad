import CLinux
import Glibc

/// The file under its provisional name, open, locked, and this process's alone.
///
/// The lock goes with the last reference, or with the process.
struct PartialFile: Sendable {
    let file: OpenFile
    /// The provisional name.
    let path: String
    /// The name that the file is to have.
    let finalPath: String

    /// How often another run may get in between.
    private static let attemptLimit = 100

    /// The name of a file while it is being filled.
    static func path(of finalPath: String) -> String { finalPath + ".partial" }

    /// Creates the file; an empty one, which a run that was killed may have left, is as good as new.
    ///
    /// - Throws: ``LayoutError`` with `beingFilled` where another run holds it, `notRegularFile` where something else is
    ///   in its place, and with the system's reason where it cannot be created.
    static func create(for finalPath: String) throws(LayoutError) -> PartialFile {
        try create(path(of: finalPath), for: finalPath)
    }

    /// Opens the file that an interrupted run left; nil where there is none.
    static func existing(for finalPath: String) throws(LayoutError) -> PartialFile? {
        let path = path(of: finalPath)
        for _ in 0..<attemptLimit {
            guard let file = try open(path, O_NONBLOCK, absent: ENOENT) else { return nil }
            if let kind = try file.status().irregularKind { throw file.error(.notRegularFile(kind: kind)) }
            try file.requireOwn()
            let partial = PartialFile(file: file, path: path, finalPath: finalPath)
            try partial.lock()
            // Another run may have sealed or removed it between the two calls.
            guard try partial.isInPlace() else { continue }
            guard try partial.isPublished() else { return partial }
            // Where a file is renamed by a second name a run may be killed between the two.
            unsafe unlink(path)
        }
        throw LayoutError(.partialReplaced, .writing, path: path)
    }

    static func create(_ path: String, for finalPath: String) throws(LayoutError) -> PartialFile {
        for _ in 0..<attemptLimit {
            if let file = try open(path, O_CREAT | O_EXCL, absent: EEXIST) {
                let partial = PartialFile(file: file, path: path, finalPath: finalPath)
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
                let status = try file.status()
                if let kind = status.irregularKind { throw file.error(.notRegularFile(kind: kind)) }
                try file.requireOwn()
                let leftOver = PartialFile(file: file, path: path, finalPath: finalPath)
                try leftOver.lock()
                guard status.st_size == 0 else { throw file.error(.partialReplaced) }
                if try leftOver.isInPlace() { return leftOver }
            }
        }
        throw LayoutError(.partialReplaced, .writing, path: path)
    }

    // MARK: - Names

    /// Whether the file is still the one under its provisional name.
    func isInPlace() throws(LayoutError) -> Bool {
        guard let found = try linkStatus(of: path) else { return false }
        return found.isSameFile(as: try file.status())
    }

    /// Whether the file has its final name as well.
    private func isPublished() throws(LayoutError) -> Bool {
        guard let found = try linkStatus(of: finalPath) else { return false }
        return found.isSameFile(as: try file.status())
    }

    /// Removes what is left of a run that was killed when its bundle was done: a second name of that, and the journal.
    static func removeStrays(for finalPath: String) throws(LayoutError) {
        let path = path(of: finalPath)
        if let status = try linkStatus(of: path), try linkStatus(of: finalPath)?.isSameFile(as: status) == true {
            unsafe unlink(path)
        }
        guard try linkStatus(of: LayoutJournal.path(of: path)) != nil, try linkStatus(of: path) == nil else { return }
        // Whoever begins to fill the file makes a journal of its own after it.
        try create(for: finalPath).remove()
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

    /// Removes the file and its journal, unless it has its final name or is not ours any more.
    ///
    /// What fails is left: it does no harm.
    func remove() {
        do throws(LayoutError) {
            guard try isInPlace() else { return try Self.removeStrays(for: finalPath) }
            // Killed in the middle, it leaves an empty file, which is as good as none. A second name is somebody's own.
            if try file.status().st_nlink == 1 { ftruncate(file.descriptor, 0) }
            try LayoutJournal.remove(of: path)
            unsafe unlink(path)
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

    /// Brings the names in the file's directory to disk.
    func syncDirectory() throws(LayoutError) {
        let descriptor = unsafe Glibc.open(parentDirectory(of: finalPath), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // A directory may be written to without being readable; then there is nothing to sync it by.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Some file systems have nothing to sync of a directory, and say so with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw LayoutError(.system(operation: "syncing its directory", errno: errno), .writing, path: finalPath)
        }
    }

    /// Opens a file without following a link; nil where the call fails with `absent`.
    static func open(_ path: String, _ flags: Int32, absent: Int32) throws(LayoutError) -> OpenFile? {
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
    // Nothing has a name that is too long.
    guard errno == ENOENT || errno == ENAMETOOLONG else {
        throw LayoutError(.system(operation: "looking for it", errno: errno), .writing, path: path)
    }
    return nil
}
