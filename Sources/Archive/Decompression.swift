/// Decompresses data that comes in pieces, in memory that does not depend on the data's size.
///
/// One level of one compression is undone, whatever comes out of it. Memory is a few hundred KiB; what zstd adds is the
/// window that the data asks for, of which libzstd gives 128 MiB at most; xz its dictionary, of which libarchive gives
/// 1 GiB at most (64 MiB with `xz -9`).
package enum Decompression {
    /// How many times its own size data may become.
    ///
    /// Deflate cannot reach it: its best is 258 bytes in two bits, which is 1,032. Zstd can: 128 KiB in four bytes.
    private static let ratio: Int64 = 1100
    /// What it may become beyond that, so that a file of zeros in a small layer passes.
    private static let allowance: Int64 = 1 << 30

    /// Says the limit in words.
    static let limitText = "1 GiB and 1,100 times its own size"

    /// How many bytes data may become: time is bounded by the size of what is read.
    package static func limit(of byteCount: Int64) -> Int64 {
        let (product, overflow) = byteCount.multipliedReportingOverflow(by: ratio)
        return overflow || product > .max - allowance ? .max : product + allowance
    }

    /// Decompresses.
    ///
    /// Nothing but whole gzip members, zstd frames or xz streams may be in the data, without anything after them: neither zeros nor
    /// other padding, which the runtimes that unpack layers refuse too.
    ///
    /// - Parameters:
    ///   - compression: what is undone.
    ///   - limit: how many bytes the data may become.
    ///   - path: the file's path, for errors.
    ///   - next: gives the next piece, which stays as it is until the next call; an empty one at the end.
    ///   - take: takes each piece that comes out.
    /// - Throws: what `next` and `take` throw; ``ArchiveError`` with `damagedData` or `expandsTooFar` for the data, or
    ///   with `library` where a library cannot begin.
    package static func run(
        _ compression: Compression,
        limit: Int64,
        path: String,
        from next: () throws -> UnsafeRawBufferPointer,
        into take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var rest = limit
        func takeWithinLimit(_ piece: UnsafeRawBufferPointer) throws {
            guard piece.count <= rest else { throw ArchiveError(.expandsTooFar(limit: limit), path: path) }
            rest -= Int64(piece.count)
            try unsafe take(piece)
        }
        switch compression {
        case .gzip: try unsafe gunzip(path: path, from: next, into: takeWithinLimit)
        case .zstd, .xz: try unsafe unfilter(compression, path: path, from: next, into: takeWithinLimit)
        }
    }
}
