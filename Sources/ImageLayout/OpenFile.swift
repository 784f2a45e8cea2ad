import CLinux
import Glibc

/// An open file.
///
/// It is closed when the last reference to it goes. Reading and writing are at given offsets, so that any number of
/// threads may do both at once.
final class OpenFile: Sendable {
    let descriptor: Int32
    /// For errors.
    let path: String
    /// For errors.
    let operation: LayoutError.Operation

    init(descriptor: Int32, path: String, operation: LayoutError.Operation) {
        self.descriptor = descriptor
        self.path = path
        self.operation = operation
    }

    deinit { close(descriptor) }

    /// Writes all bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(LayoutError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, Int(offset) + done)
            if count > 0 {
                done += count
            } else if errno != EINTR || count == 0 {
                throw failure("writing")
            }
        }
    }

    /// Writes all bytes.
    func write(_ bytes: [UInt8], at offset: Int64) throws(LayoutError) {
        try unsafe bytes.withUnsafeBufferPointer { buffer throws(LayoutError) in
            try unsafe write(UnsafeRawBufferPointer(buffer), at: offset)
        }
    }

    /// Starts to bring bytes to disk that have been written; it does not wait, and where it fails nothing is lost.
    func startWriteBack(of range: Range<Int64>) {
        _ = linux_start_writeback(descriptor, range.lowerBound, Int64(range.count))
    }

    /// Reads as many bytes as the buffer holds.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(LayoutError) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pread(descriptor, rest.baseAddress, rest.count, Int(offset) + done)
            if count > 0 {
                done += count
            } else if count == 0 {
                throw error(.endsEarly(at: offset + Int64(done)))
            } else if errno != EINTR {
                throw failure("reading")
            }
        }
    }

    /// Reads the bytes of a range, which the caller has bounded.
    func bytes(in range: Range<Int64>) throws(LayoutError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(LayoutError) in
            try unsafe read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
        }
        return bytes
    }

    /// Brings to disk what has been written, and what is needed to find it again.
    func syncData() throws(LayoutError) {
        guard fdatasync(descriptor) == 0 else { throw failure("syncing it") }
    }

    /// What the system knows of the open file.
    func status() throws(LayoutError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw failure("asking for its status") }
        return status
    }

    /// How many bytes it has now.
    func byteCount() throws(LayoutError) -> Int64 { Int64(try status().st_size) }

    /// Refuses a file that another user may have made up: what it says would be believed.
    ///
    /// A file system without owners gives root's or the user's own to all.
    func requireOwn() throws(LayoutError) {
        let owner = try status().st_uid
        guard owner == geteuid() || owner == 0 else { throw error(.notContinuable(reason: "it is another user's")) }
    }

    /// An error of this file.
    func error(_ code: LayoutError.Code) -> LayoutError { LayoutError(code, operation, path: path) }

    /// What `errno` says now, as an error of this file.
    func failure(_ operation: String) -> LayoutError { error(.system(operation: operation, errno: errno)) }
}

extension stat {
    /// What the file is, in words; nil for a regular file.
    var irregularKind: String? {
        switch st_mode & S_IFMT {
        case S_IFREG: nil
        case S_IFDIR: "a directory"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a pipe"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }

    /// Whether both are the same file.
    func isSameFile(as other: stat) -> Bool { st_dev == other.st_dev && st_ino == other.st_ino }
}
