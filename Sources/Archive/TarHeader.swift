import CLibArchive

/// The pieces of a tar file that are written at places planned beforehand.
///
/// A file put together of them is byte for byte what libarchive writes in one go.
package enum TarHeader {
    /// The unit that everything in a tar file is padded to, in bytes.
    package static let blockSize: Int64 = 512
    /// The zeros after the last entry that say that the archive is whole, in bytes.
    package static let endByteCount: Int64 = 1024

    /// Makes the header that libarchive itself writes for a regular file: owned by 0:0 without names, mode 0644, mtime 0.
    ///
    /// It is a ustar header; a pax header comes before it only where ustar cannot hold the path or the size.
    ///
    /// - Parameters:
    ///   - path: the entry's path. ASCII: what libarchive writes for other characters depends on the locale.
    ///   - byteCount: the size of the data.
    /// - Returns: 512 bytes, or a larger multiple of it.
    /// - Throws: ``ArchiveError`` when libarchive refuses it, or `unreadablePath` when the path is not ASCII.
    package static func header(path: String, byteCount: Int64) throws(ArchiveError) -> [UInt8] {
        if fitsUstar(path: path, byteCount: byteCount), case .success(let template) = template {
            return header(path: path, byteCount: byteCount, like: template)
        }
        return try made(path: path, byteCount: byteCount)
    }

    /// What libarchive writes for an entry with the shortest name and without data.
    ///
    /// Asking it takes some 7 us, for each of thousands of entries.
    private static let template = Result { () throws(ArchiveError) in try made(path: "0", byteCount: 0) }

    /// Makes a header of another that differs in path, size and checksum.
    ///
    /// Spec: POSIX "pax", "ustar Interchange Format".
    private static func header(path: String, byteCount: Int64, like template: [UInt8]) -> [UInt8] {
        var header = template
        header.replaceSubrange(0..<path.utf8.count, with: path.utf8)
        func write(_ value: Int64, to field: Range<Int>) {
            var rest = value
            for index in field.reversed() {
                header[index] = UInt8(ascii: "0") + UInt8(rest & 7)
                rest >>= 3
            }
        }
        write(byteCount, to: 124..<135)
        // The checksum is of the header with blanks in its place.
        for index in 148..<156 { header[index] = UInt8(ascii: " ") }
        let checksum = header.reduce(0) { $0 + Int64($1) }
        write(checksum, to: 148..<154)
        header[154] = 0
        return header
    }

    /// Whether ustar has room for it, and no pax header is needed.
    private static func fitsUstar(path: String, byteCount: Int64) -> Bool {
        guard 1..<100 ~= path.utf8.count, 0..<(8 << 30) ~= byteCount else { return false }
        let bytes = path.utf8Span.span
        for index in bytes.indices where !(1..<128 ~= bytes[index]) { return false }
        return true
    }

    /// Has libarchive make a header.
    private static func made(path: String, byteCount: Int64) throws(ArchiveError) -> [UInt8] {
        guard path.utf8.allSatisfy({ 1..<128 ~= $0 }) else {
            throw ArchiveError(.unreadablePath, path: nil, entry: path)
        }
        // A pax header holds the path once more, beside a few short records; and closing it adds the end.
        var bytes = [UInt8](repeating: 0, count: 4096 + 2 * path.utf8.count)
        var used = 0
        let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(ArchiveError) in
            try unsafe write(path: path, byteCount: byteCount, into: UnsafeMutableRawBufferPointer(buffer), &used)
        }
        // A copy of what has room for all of that would have it as well: 4 KiB for each of thousands of headers.
        return Array(bytes[..<count])
    }

    /// The size of the header of an entry, in bytes.
    ///
    /// - Throws: ``ArchiveError``, as where the header is made.
    package static func byteCount(path: String, byteCount: Int64) throws(ArchiveError) -> Int64 {
        if fitsUstar(path: path, byteCount: byteCount) { return blockSize }
        return Int64(try made(path: path, byteCount: byteCount).count)
    }

    /// The number of bytes that data takes in the file: rounded up to whole blocks; nil beyond the range of the type.
    package static func paddedLength(_ byteCount: Int64) -> Int64? {
        let (sum, overflow) = byteCount.addingReportingOverflow(blockSize - 1)
        return overflow ? nil : sum / blockSize * blockSize
    }

    /// The number of zeros after the data of an entry.
    package static func padding(after byteCount: Int64) -> Int {
        Int((blockSize - byteCount % blockSize) % blockSize)
    }

    /// Writes a header.
    ///
    /// - Returns: how many bytes it has. More are used when it is closed.
    private static func write(
        path: String,
        byteCount: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        _ used: UnsafeMutablePointer<Int>
    ) throws(ArchiveError) -> Int {
        let entry = try EntryHandle.make(path: path, byteCount: byteCount)
        // libarchive keeps both pointers until the handle is freed, which is at the end of this function.
        let archive = try WriteHandle.make()
        try archive.check(unsafe archive_write_add_filter_none(archive.pointer), "choosing no compression")
        try archive.check(unsafe archive_write_set_format_pax_restricted(archive.pointer), "choosing the format")
        // Without blocks every byte is out as soon as the header is made.
        try archive.check(unsafe archive_write_set_bytes_per_block(archive.pointer, 0), "choosing no blocks")
        try archive.check(
            unsafe archive_write_open_memory(archive.pointer, buffer.baseAddress, buffer.count, used),
            "opening it"
        )
        try archive.check(unsafe archive_write_header(archive.pointer, entry.pointer), "making it", entry: path)
        return unsafe used.pointee
    }
}
