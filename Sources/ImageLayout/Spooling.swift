import Archive
import CLinux
import FoundationEssentials
import Glibc

/// How a compressed layout is unpacked: blobs are read at places of their own, which compressed data does not have.
package struct Spooling: Sendable {
    /// The directory of the unpacked file; nil is that of the layout.
    package var directory: String?
    /// Hears which file is unpacked, and how many bytes that takes.
    package var began: @Sendable (_ path: String, _ byteCount: Int64) -> Void = { _, _ in }
    /// Hears now and then that the work goes on; what it throws ends it.
    package var advanced: @Sendable () throws -> Void = {}

    /// Beside the layout, and without a word.
    package init() {}

    /// Unpacks a file, once, into one that has no name and is gone when it is closed.
    ///
    /// It is decompressed twice: first to know how long it is, so that the space can be reserved before a byte is
    /// written.
    ///
    /// - Throws: ``LayoutError`` for damaged data and where there is no space, and what ``advanced`` throws.
    func unpack(_ file: OpenFile, _ compression: Compression) throws -> OpenFile {
        var byteCount: Int64 = 0
        try unsafe decompress(file, compression) { byteCount += Int64($0.count) }
        began(file.path, byteCount)
        let folder = directory ?? URL(filePath: file.path).deletingLastPathComponent().path
        let name = "\(file.path), unpacked in \(folder)"
        let descriptor = unsafe linux_unnamed_file(folder)
        guard descriptor >= 0 else {
            throw LayoutError(.system(operation: "making a file there", errno: errno), .writing, path: name)
        }
        let unpacked = OpenFile(descriptor: descriptor, path: name, operation: .writing)
        try unpacked.reserve(byteCount)
        var written: Int64 = 0
        try unsafe decompress(file, compression) { piece in
            guard written + Int64(piece.count) <= byteCount else { throw file.error(.changed) }
            try unsafe unpacked.write(piece, at: written)
            written += Int64(piece.count)
        }
        guard written == byteCount else { throw file.error(.changed) }
        return try OpenFile(unpacked, as: file.path)
    }

    private func decompress(
        _ file: OpenFile,
        _ compression: Compression,
        into take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let byteCount = try file.byteCount()
        let pieces = FilePieces(file, 0..<byteCount)
        defer { withExtendedLifetime(pieces) {} }
        do {
            try unsafe Decompression.run(
                compression,
                limit: Decompression.limit(of: byteCount),
                path: file.path,
                from: {
                    try advanced()
                    return try unsafe pieces.next()
                },
                into: take
            )
        } catch let error as ArchiveError {
            throw file.error(.archive(error))
        }
    }
}

extension OpenFile {
    /// The same file for reading, under the name of what it was made of.
    fileprivate convenience init(_ written: OpenFile, as path: String) throws(LayoutError) {
        let copy = fcntl(written.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw written.failure("opening it once more") }
        self.init(descriptor: copy, path: path, operation: .reading)
    }
}
