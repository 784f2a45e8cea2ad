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

    private init(file: OpenFile, path: String, finalPath: String) {
        self.file = file
        self.path = path
        self.finalPath = finalPath
    }

    /// The name of a file while it is being filled.
    static func path(of finalPath: String) -> String { finalPath + ".partial" }

    /// Creates the file; an empty one, which a run that was killed may have left, is as good as new.
    ///
    /// - Throws: ``LayoutError`` with `beingFilled` where another run holds it, `notRegularFile` where something else is
    ///   in its place, and with the system's reason where it cannot be created.
    static func create(for finalPath: String) throws(LayoutError) -> PartialFile {
        try create(path(of: finalPath), for: finalPath)
    }

    /// Creates the file that is to take the place of one that an interrupted run left.
    static func createSuccessor(of partial: PartialFile) throws(LayoutError) -> PartialFile {
        try create(partial.successorPath, for: partial.finalPath)
    }

    /// Opens the file that an interrupted run left; nil where there is none.
    static func existing(for finalPath: String) throws(LayoutError) -> PartialFile? {
        let path = path(of: finalPath)
        for _ in 0..<attemptLimit {
            guard let file = try open(path, O_NONBLOCK, absent: ENOENT) else { return nil }
            if let kind = try file.status().irregularKind { throw file.error(.notRegularFile(kind: kind)) }
            let partial = PartialFile(file: file, path: path, finalPath: finalPath)
            try partial.lock()
            // Another run may have sealed or removed it between the two calls.
            if try partial.isInPlace() { return partial }
        }
        throw LayoutError(.partialReplaced, .writing, path: path)
    }

    private static func create(_ path: String, for finalPath: String) throws(LayoutError) -> PartialFile {
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
                let leftOver = PartialFile(file: file, path: path, finalPath: finalPath)
                try leftOver.lock()
                guard status.st_size == 0 else { throw file.error(.notContinuable(reason: "it appeared meanwhile")) }
                if try leftOver.isInPlace() { return leftOver }
            }
        }
        throw LayoutError(.partialReplaced, .writing, path: path)
    }

    // MARK: - Names

    /// The name of a file that is made to take this one's place.
    var successorPath: String { Self.path(of: finalPath) + ".refresh" }

    /// Whether the file is still the one under its provisional name.
    func isInPlace() throws(LayoutError) -> Bool {
        guard let found = try linkStatus(of: path) else { return false }
        return found.isSameFile(as: try file.status())
    }

    /// Takes the place of the file that an interrupted run left, after everything in both is on disk.
    ///
    /// - Returns: the same file under its new name.
    func succeed(_ old: PartialFile) throws(LayoutError) -> PartialFile {
        guard try old.isInPlace() else { throw old.file.error(.partialReplaced) }
        guard unsafe rename(path, old.path) == 0 else { throw file.failure("renaming it") }
        try Self.renameJournal(from: path, to: old.path)
        try syncDirectory()
        return PartialFile(file: file, path: old.path, finalPath: finalPath)
    }

    /// Ends or undoes what a run was killed in that put a new file in the place of this one.
    ///
    /// The file is renamed first, so that a journal alone shows that it has been.
    func settleSuccession() throws(LayoutError) {
        let journal = LayoutJournal.path(of: successorPath)
        if try linkStatus(of: successorPath) == nil, try linkStatus(of: journal) != nil {
            try Self.renameJournal(from: successorPath, to: path)
        } else {
            unsafe unlink(journal)
            unsafe unlink(successorPath)
        }
    }

    private static func renameJournal(from old: String, to new: String) throws(LayoutError) {
        guard unsafe rename(LayoutJournal.path(of: old), LayoutJournal.path(of: new)) == 0 else {
            throw LayoutError(.system(operation: "renaming its journal", errno: errno), .writing, path: new)
        }
    }

    /// Removes the journal of a bundle that is done: its run was killed between the two.
    static func removeStrayJournal(for finalPath: String) throws(LayoutError) {
        let path = path(of: finalPath)
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
        unsafe unlink(LayoutJournal.path(of: path))
        try syncDirectory()
    }

    /// Removes the file and its journal, unless it has its final name or is not ours any more.
    ///
    /// What fails is left: it does no harm.
    func remove() {
        do throws(LayoutError) {
            guard try isInPlace() else { return try Self.removeStrayJournal(for: finalPath) }
            // Killed in the middle, it leaves an empty file, which is as good as none. A second name is somebody's own.
            if try file.status().st_nlink == 1 { ftruncate(file.descriptor, 0) }
            unsafe unlink(LayoutJournal.path(of: path))
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
    guard errno == ENOENT else {
        throw LayoutError(.system(operation: "looking for it", errno: errno), .writing, path: path)
    }
    return nil
}
