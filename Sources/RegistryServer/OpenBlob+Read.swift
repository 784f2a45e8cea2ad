import Glibc
import RegistryDirectory

extension OpenBlob {
    /// Reads a part of the blob, the range counted from the blob's beginning.
    ///
    /// - Throws: ``ShortenedFile`` where the file ends before, ``ReadError`` where the system refuses.
    func read(_ range: Range<Int64>) throws -> [UInt8] {
        try unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while count < range.count {
                let position = offset + range.lowerBound + Int64(count)
                let start = unsafe buffer.baseAddress.map { unsafe $0 + count }
                let done = unsafe pread(descriptor, start, range.count - count, Int(position))
                if done < 0, errno == EINTR { continue }
                guard done >= 0 else { throw ReadError(offset: position, code: errno) }
                guard done > 0 else { throw ShortenedFile(offset: position) }
                count += done
            }
        }
    }

    /// A blob's file cannot be read.
    struct ReadError: Error, CustomStringConvertible {
        let offset: Int64
        let code: Int32
        var description: String {
            "reading a blob at byte \(offset) of its file: \(unsafe String(cString: strerror(code)).lowercased())"
        }
    }
}
