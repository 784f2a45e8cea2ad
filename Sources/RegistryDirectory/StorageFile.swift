import CLinux
import Glibc
import OCI

/// An open file of the registry.
final class StorageFile: Sendable {
    let descriptor: Descriptor
    /// For errors.
    let path: String

    /// How much is read at once where a file is read whole.
    private static let windowByteCount = 1 << 20

    init(_ descriptor: Descriptor, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// What the system knows of the open file.
    func status() throws(DirectoryError) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else {
            throw DirectoryError("asking for its status", .reading, path: path)
        }
        return status
    }

    /// How many bytes the file has.
    var byteCount: Int64 {
        get throws(DirectoryError) { Int64(try status().st_size) }
    }

    // MARK: - Reading

    /// Reads the file's beginning: all of it, unless it is longer.
    func bytes(atMost limit: Int) throws(DirectoryError) -> [UInt8] {
        let count = min(limit, Int(try byteCount))
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(DirectoryError) in
            try unsafe self.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return Array(bytes.prefix(read))
    }

    /// Digests the file's beginning.
    ///
    /// - Parameters:
    ///   - byteCount: how many bytes.
    ///   - algorithm: how.
    /// - Returns: a hasher that has seen them.
    /// - Throws: ``DirectoryError`` with `endsEarly` when there are fewer, else with the system's reason.
    func hasher(over byteCount: Int64, algorithm: Digest.Algorithm) throws(DirectoryError) -> DigestHasher {
        let hasher = DigestHasher(algorithm: algorithm)
        var window = [UInt8](repeating: 0, count: Int(min(Int64(Self.windowByteCount), byteCount)))
        var offset: Int64 = 0
        while offset < byteCount {
            let wanted = Int(min(Int64(window.count), byteCount - offset))
            try unsafe window.withUnsafeMutableBufferPointer { buffer throws(DirectoryError) in
                let part = unsafe UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<wanted]))
                let count = try unsafe read(into: part, at: offset)
                guard count == wanted else {
                    throw DirectoryError(.endsEarly(at: offset + Int64(count)), .reading, path: path)
                }
                unsafe hasher.update(UnsafeRawBufferPointer(part))
            }
            offset += Int64(wanted)
        }
        return hasher
    }

    /// Reads as many bytes as the buffer holds or the file has, and gives their number.
    private func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(DirectoryError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe pread(descriptor.number, rest.baseAddress, rest.count, Int(offset) + done)
            if count > 0 {
                done += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw DirectoryError("reading", .reading, path: path)
            }
        }
        return done
    }

    // MARK: - Writing

    /// Writes all bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(DirectoryError) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = unsafe pwrite(descriptor.number, rest.baseAddress, rest.count, Int(offset) + done)
            if count > 0 {
                done += count
            } else if errno != EINTR || count == 0 {
                throw DirectoryError("writing", .writing, path: path)
            }
        }
    }

    /// Starts to bring to disk what lies before the end of a write, whenever that passes the end of a window.
    ///
    /// Else all of a gigabyte would wait for the file to be synced, and the client with it. It does not wait, and where
    /// it fails nothing is lost.
    func startWriteBack(ofWindowsBefore end: Int64, byteCount: Int) {
        let window: Int64 = 32 << 20
        let first = (end - Int64(byteCount)) / window * window
        let last = end / window * window
        if last > first { _ = linux_start_writeback(descriptor.number, first, last - first) }
    }

    /// Cuts off what a write that failed may have left beyond the end.
    func truncate(to byteCount: Int64) throws(DirectoryError) {
        guard ftruncate(descriptor.number, Int(byteCount)) == 0 else {
            throw DirectoryError("cutting it to \(byteCount) bytes", .writing, path: path)
        }
    }

    /// Waits until the file is on disk.
    func sync() throws(DirectoryError) {
        guard fsync(descriptor.number) == 0 else { throw DirectoryError("syncing it", .writing, path: path) }
    }
}
