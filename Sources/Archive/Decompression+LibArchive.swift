import CLibArchive

extension Decompression {
    /// Undoes zstd, one frame or several with those that are to be skipped; or xz, one stream or several.
    static func unfilter(
        _ compression: Compression,
        path: String,
        from next: () throws -> UnsafeRawBufferPointer,
        into take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try unsafe withoutActuallyEscaping(next) { next in
            let source = unsafe PieceSource(next)
            // libarchive keeps a pointer to the source until it is freed, which is at the end of `read`.
            try withExtendedLifetime(source) {
                let result = Result { try unsafe read(compression, source, path: path, into: take) }
                if let failure = source.failure { throw failure }
                try result.get()
            }
        }
    }

    private static func read(
        _ compression: Compression,
        _ source: PieceSource,
        path: String,
        into take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let archive = try ReadHandle.make(path: path)
        // This filter and no other, once: nothing is chosen by what the bytes look like.
        let filter = compression == .xz ? ARCHIVE_FILTER_XZ : ARCHIVE_FILTER_ZSTD
        try archive.check(unsafe archive_read_append_filter(archive.pointer, filter), "choosing \(compression)")
        try archive.check(unsafe archive_read_support_format_raw(archive.pointer), "choosing the format")
        try archive.check(unsafe archive_read_support_format_empty(archive.pointer), "choosing the format")
        let context = unsafe Unmanaged.passUnretained(source).toOpaque()
        let status = unsafe archive_read_open(archive.pointer, context, nil, nextPiece, nil)
        // Data that is damaged in its beginning counts as empty, and only this text remains.
        guard status == ARCHIVE_OK, unsafe archive_errno(archive.pointer) == 0 else {
            throw damage(compression, archive, path)
        }
        var entry: OpaquePointer?
        var state = unsafe archive_read_next_header(archive.pointer, &entry)
        while state == ARCHIVE_OK {
            var (bytes, count, offset): (UnsafeRawPointer?, Int, Int64) = (nil, 0, 0)
            state = unsafe archive_read_data_block(archive.pointer, &bytes, &count, &offset)
            if count > 0 { try unsafe take(UnsafeRawBufferPointer(start: bytes, count: count)) }
        }
        guard state == ARCHIVE_EOF else { throw damage(compression, archive, path) }
    }

    private static func damage(
        _ compression: Compression,
        _ archive: borrowing ReadHandle,
        _ path: String
    ) -> ArchiveError {
        ArchiveError(.damagedData(compression, reason: archive.reason), path: path)
    }
}

/// What libarchive reads from.
@safe
private final class PieceSource {
    let next: () throws -> UnsafeRawBufferPointer
    /// What `next` threw: libarchive knows of errors only that there was one.
    var failure: (any Error)?

    init(_ next: @escaping () throws -> UnsafeRawBufferPointer) { unsafe self.next = next }
}

private func nextPiece(
    _ archive: OpaquePointer?,
    _ context: UnsafeMutableRawPointer?,
    _ bytes: UnsafeMutablePointer<UnsafeRawPointer?>?
) -> Int {
    guard let context = unsafe context, let bytes = unsafe bytes else { return Int(ARCHIVE_FATAL) }
    let source = unsafe Unmanaged<PieceSource>.fromOpaque(context).takeUnretainedValue()
    do {
        let piece = try unsafe source.next()
        unsafe bytes.pointee = piece.baseAddress
        return piece.count
    } catch {
        source.failure = error
        return Int(ARCHIVE_FATAL)
    }
}
