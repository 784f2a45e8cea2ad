import CLibArchive

/// What libarchive writes when it writes an archive in one go; the data of every entry is zeros.
///
/// Only what is not data is kept, so that an entry may have any size.
final class SequentialTar {
    /// The pieces that are not data, and where they lie.
    private(set) var pieces: [(offset: Int64, bytes: [UInt8])] = []
    /// The size of the archive.
    private(set) var byteCount: Int64 = 0

    private let zeros = [UInt8](repeating: 0, count: 1 << 20)
    private var isWritingData = false

    /// Writes entries as every archive of ours has them.
    init(entries: [(path: String, byteCount: Int64)]) throws {
        let archive = archive_write_new()
        defer { archive_write_free(archive) }
        try check(archive_write_add_filter_none(archive))
        try check(archive_write_set_format_pax_restricted(archive))
        try check(archive_write_set_bytes_per_block(archive, 0))
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(archive_write_open2(archive, context, nil, sequentialTarTake, nil, nil))
        for entry in entries { try write(entry.path, entry.byteCount, to: archive) }
        try check(archive_write_close(archive))
    }

    private func write(_ path: String, _ byteCount: Int64, to archive: OpaquePointer?) throws {
        let entry = archive_entry_new()
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, path)
        archive_entry_set_size(entry, byteCount)
        archive_entry_set_filetype(entry, drayage_file_type_regular())
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_mtime(entry, 0, 0)
        try check(archive_write_header(archive, entry))
        isWritingData = true
        var rest = byteCount
        while rest > 0 {
            let count = archive_write_data(archive, zeros, Int(min(rest, Int64(zeros.count))))
            guard count > 0 else { throw LibraryError(status: Int32(count)) }
            rest -= Int64(count)
        }
        isWritingData = false
        try check(archive_write_finish_entry(archive))
    }

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) {
        if !isWritingData { pieces.append((byteCount, Array(bytes))) }
        byteCount += Int64(bytes.count)
    }

    private func check(_ status: Int32) throws {
        guard status == ARCHIVE_OK else { throw LibraryError(status: status) }
    }

    struct LibraryError: Error {
        let status: Int32
    }
}

private func sequentialTarTake(
    _ archive: OpaquePointer?,
    _ context: UnsafeMutableRawPointer?,
    _ bytes: UnsafeRawPointer?,
    _ count: Int
) -> Int {
    guard let context else { return -1 }
    Unmanaged<SequentialTar>.fromOpaque(context).takeUnretainedValue()
        .take(UnsafeRawBufferPointer(start: bytes, count: count))
    return count
}
