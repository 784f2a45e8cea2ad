import CLibArchive
import Glibc

/// Finds the entries of a tar file in one pass over its headers.
package enum TarIndex {
    /// The most entries that an archive may have.
    package static let entryLimit = 1_000_000
    /// The most bytes of an entry's path, and of the path that a link leads to.
    package static let pathLimit = 4096

    /// Finds all entries, in the archive's order, without reading their data.
    ///
    /// Every dialect of tar is read. Compression is recognised only in order to say so: the offsets are of the file.
    /// What has begun must be whole: every entry's data lies within the file, and the end has its two blocks of zeros.
    ///
    /// - Parameters:
    ///   - descriptor: an open regular file; its position is moved, and the caller closes it.
    ///   - path: the file's path, for errors.
    ///   - onEntry: hears of each entry when it is found, before it is known whether what follows is whole.
    /// - Returns: the entries.
    /// - Throws: ``ArchiveError`` when it is no tar file, compressed, truncated or damaged, or has a sparse entry or more
    ///   than the limits allow.
    package static func read(
        descriptor: Int32,
        path: String,
        onEntry: (TarEntry) -> Void = { _ in }
    ) throws(ArchiveError) -> [TarEntry] {
        let byteCount = try size(of: descriptor, path: path)
        let archive = try open(descriptor: descriptor, path: path)
        var entries: [TarEntry] = []
        var end: Int64 = 0
        while let entry = try next(of: archive, path: path, after: entries.last, endingAt: end) {
            guard entries.count < entryLimit else { throw ArchiveError(.tooManyEntries(limit: entryLimit), path: path) }
            end = try endOfData(of: entry, path: path)
            // libarchive skips data by seeking, which succeeds beyond the end of a file.
            guard end <= byteCount else {
                throw ArchiveError(.truncated(needed: end, byteCount: byteCount), path: path, entry: entry.path)
            }
            entries.append(entry)
            onEntry(entry)
        }
        // libarchive takes the end of the file for the end of the archive, so a cut between two entries goes unnoticed.
        let needed = end + TarHeader.endByteCount
        guard unsafe archive_filter_bytes(archive.pointer, 0) >= needed, byteCount >= needed else {
            throw ArchiveError(.truncated(needed: needed, byteCount: byteCount), path: path)
        }
        return entries
    }

    private static func size(of descriptor: Int32, path: String) throws(ArchiveError) -> Int64 {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw ArchiveError(.system(operation: "asking for its size", errno: errno), path: path)
        }
        guard lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw ArchiveError(.system(operation: "seeking", errno: errno), path: path)
        }
        return Int64(status.st_size)
    }

    private static func open(descriptor: Int32, path: String) throws(ArchiveError) -> ReadHandle {
        let archive = try ReadHandle.make(path: path)
        try archive.check(unsafe archive_read_support_format_tar(archive.pointer), "choosing the format")
        // Never all filters: one of those runs a program that the file names.
        try archive.check(unsafe archive_read_support_filter_gzip(archive.pointer), "choosing gzip")
        try archive.check(unsafe archive_read_support_filter_zstd(archive.pointer), "choosing zstd")
        try archive.check(unsafe archive_read_support_filter_xz(archive.pointer), "choosing xz")
        // Large enough for a header and its neighbours; of data that is skipped little is read with it.
        guard unsafe archive_read_open_fd(archive.pointer, descriptor, 4 << 10) == ARCHIVE_OK else {
            throw ArchiveError(.notTar(reason: archive.reason), path: path)
        }
        if unsafe archive_filter_code(archive.pointer, 0) != ARCHIVE_FILTER_NONE {
            throw ArchiveError(.compressed(filter: archive.filter), path: path)
        }
        return archive
    }

    private static func next(
        of archive: borrowing ReadHandle,
        path: String,
        after last: TarEntry?,
        endingAt end: Int64
    ) throws(ArchiveError) -> TarEntry? {
        var pointer: OpaquePointer?
        let status = unsafe archive_read_next_header(archive.pointer, &pointer)
        // A warning is about what does not matter here (a name in another character set, an odd attribute).
        guard [ARCHIVE_OK, ARCHIVE_WARN, ARCHIVE_EOF].contains(status) else {
            throw ArchiveError(.damagedHeader(reason: archive.reason), path: path)
        }
        // A pax header can name a size that is not the one of the data: what libarchive tells is then not what it skips.
        if let last, last.kind == .regular, unsafe archive_read_header_position(archive.pointer) != end {
            throw ArchiveError(.damagedHeader(reason: "its size is not that of its data"), path: path, entry: last.path)
        }
        guard status != ARCHIVE_EOF, let pointer = unsafe pointer else { return nil }
        guard let name = unsafe self.name(of: pointer) else { throw ArchiveError(.unreadablePath, path: path) }
        let entryPath = try unsafe text(name, path: path)
        guard unsafe archive_entry_sparse_count(pointer) == 0 else {
            throw ArchiveError(.sparseEntry, path: path, entry: entryPath)
        }
        let kind = try unsafe kind(of: pointer, path: path, entry: entryPath)
        return TarEntry(
            path: entryPath,
            kind: kind,
            offset: unsafe archive_filter_bytes(archive.pointer, 0),
            byteCount: kind == .regular ? unsafe archive_entry_size(pointer) : 0
        )
    }

    /// The path of an entry, in UTF-8 where it can be.
    private static func name(of entry: OpaquePointer) -> UnsafePointer<CChar>? {
        let name = unsafe archive_entry_pathname(entry)
        // Asked for UTF-8, libarchive prepares a conversion for each entry, and most are plain ASCII.
        if let name = unsafe name, unsafe UnsafeBufferPointer(start: name, count: strlen(name)).allSatisfy({ $0 > 0 }) {
            return unsafe name
        }
        return unsafe archive_entry_pathname_utf8(entry) ?? name
    }

    private static func kind(
        of entry: OpaquePointer,
        path: String,
        entry entryPath: String
    ) throws(ArchiveError) -> TarEntry.Kind {
        if let target = unsafe archive_entry_hardlink_utf8(entry) ?? archive_entry_hardlink(entry) {
            return .hardLink(target: try unsafe text(target, path: path, entry: entryPath))
        }
        switch unsafe archive_entry_filetype(entry) {
        case drayage_file_type_regular(): return .regular
        case drayage_file_type_directory(): return .directory
        case drayage_file_type_link():
            guard let target = unsafe archive_entry_symlink_utf8(entry) ?? archive_entry_symlink(entry) else {
                return .symbolicLink(target: "")
            }
            return .symbolicLink(target: try unsafe text(target, path: path, entry: entryPath))
        default: return .special
        }
    }

    /// The text of a path, within the limit.
    private static func text(
        _ name: UnsafePointer<CChar>,
        path: String,
        entry: String? = nil
    ) throws(ArchiveError) -> String {
        guard unsafe strlen(name) <= pathLimit else {
            throw ArchiveError(.pathTooLong(limit: pathLimit), path: path, entry: entry)
        }
        return unsafe String(cString: name)
    }

    private static func endOfData(of entry: TarEntry, path: String) throws(ArchiveError) -> Int64 {
        guard entry.byteCount >= 0, let length = TarHeader.paddedLength(entry.byteCount),
            case (let end, let overflow) = entry.offset.addingReportingOverflow(length), !overflow
        else {
            throw ArchiveError(.damagedHeader(reason: "impossible size"), path: path, entry: entry.path)
        }
        return end
    }
}
