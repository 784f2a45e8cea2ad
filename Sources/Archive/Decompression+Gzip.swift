import CZlib

extension Decompression {
    /// What comes out at a time.
    private static let pieceLength = 128 << 10

    /// Undoes gzip: one member or several, as parallel and seekable compressors write them.
    ///
    /// Zlib checks the sum and the length of each.
    static func gunzip(
        path: String,
        from next: () throws -> UnsafeRawBufferPointer,
        into take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var stream = try InflateStream.make(path: path)
        var buffer = [UInt8](repeating: 0, count: pieceLength)
        try unsafe buffer.withUnsafeMutableBytes { buffer in
            while true {
                let piece = try unsafe next()
                guard unsafe !piece.isEmpty else { break }
                unsafe stream.input(piece)
                repeat {
                    let count = try unsafe stream.inflate(into: buffer)
                    if count > 0 { try unsafe take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
                } while stream.hasMore
            }
        }
        try stream.finish()
    }
}

/// Owns zlib's state, which must not move.
@safe
private struct InflateStream: ~Copyable {
    private let pointer: UnsafeMutablePointer<z_stream>
    private let path: String
    private var memberCount = 0
    private var isWithinMember = false
    private var isFull = false

    private init(pointer: UnsafeMutablePointer<z_stream>, path: String) {
        unsafe self.pointer = unsafe pointer
        self.path = path
    }

    deinit {
        unsafe inflateEnd(pointer)
        unsafe pointer.deallocate()
    }

    static func make(path: String) throws(ArchiveError) -> InflateStream {
        let pointer = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe pointer.initialize(to: z_stream())
        guard unsafe drayage_inflate_init_gzip(pointer) == Z_OK else {
            unsafe pointer.deallocate()
            throw ArchiveError(.library(operation: "starting zlib", reason: "out of memory"), path: path)
        }
        return unsafe InflateStream(pointer: pointer, path: path)
    }

    /// Whether some of the input is left, or some of what has come of it.
    var hasMore: Bool { unsafe pointer.pointee.avail_in > 0 || (isWithinMember && isFull) }

    /// Gives input, which is not copied.
    func input(_ piece: UnsafeRawBufferPointer) {
        let bytes = unsafe UnsafeMutableRawBufferPointer(mutating: piece).bindMemory(to: UInt8.self)
        unsafe pointer.pointee.next_in = bytes.baseAddress
        unsafe pointer.pointee.avail_in = UInt32(bytes.count)
    }

    /// Goes on, at most to the end of a member.
    ///
    /// - Returns: how many bytes came out.
    mutating func inflate(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        if !isWithinMember {
            // There is more, so another member begins; the first one has its state from `make`.
            if memberCount > 0 { unsafe inflateReset(pointer) }
            memberCount += 1
            isWithinMember = true
        }
        let output = unsafe buffer.bindMemory(to: UInt8.self)
        unsafe pointer.pointee.next_out = output.baseAddress
        unsafe pointer.pointee.avail_out = UInt32(output.count)
        let status = unsafe CZlib.inflate(pointer, Z_NO_FLUSH)
        switch status {
        case Z_STREAM_END: isWithinMember = false
        // A lack of input or of space is no error.
        case Z_OK, Z_BUF_ERROR: break
        default: throw failure(status)
        }
        isFull = unsafe pointer.pointee.avail_out == 0
        return output.count - Int(unsafe pointer.pointee.avail_out)
    }

    /// Refuses data that ends within a member.
    func finish() throws(ArchiveError) {
        guard memberCount > 0, !isWithinMember else {
            throw ArchiveError(.damagedData(.gzip, reason: "it ends early"), path: path)
        }
    }

    private func failure(_ status: Int32) -> ArchiveError {
        if status == Z_MEM_ERROR {
            return ArchiveError(.library(operation: "decompressing", reason: "out of memory"), path: path)
        }
        let text = unsafe pointer.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib's error \(status)"
        let place = memberCount > 1 ? "after \(memberCount - 1) gzip member\(memberCount > 2 ? "s" : ""): " : ""
        return ArchiveError(.damagedData(.gzip, reason: place + text), path: path)
    }
}
