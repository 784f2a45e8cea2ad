import CLinux
import Glibc
import OCI
import Synchronization

extension LayoutSlot {
    /// Takes the blob over from another bundle, within the kernel where it can, and verifies it.
    ///
    /// - Parameters:
    ///   - reader: the other bundle.
    ///   - advanced: hears of each piece that was verified; what it throws ends the work.
    /// - Returns: whether it is there, whole; false where the other bundle does not have it, or has other bytes.
    /// - Throws: what `advanced` throws, or ``LayoutError`` where a file cannot be read or written.
    package func copy(from reader: LayoutReader, advanced: (_ byteCount: Int64) throws -> Void) throws -> Bool {
        guard reader.byteCount(of: descriptor.digest) == descriptor.size,
            let source = try reader.location(of: descriptor.digest)
        else { return false }
        let hasher = Mutex(DigestHasher(algorithm: descriptor.digest.algorithm))
        @Sendable func copyPiece(_ piece: Range<Int64>) throws {
            let (start, count) = (piece.lowerBound, Int64(piece.count))
            try copy(from: source.file, at: source.range.lowerBound + start, to: start, count: count)
            startWriteBack(after: piece)
        }
        @Sendable func digestPiece(_ piece: Range<Int64>) throws {
            try hasher.withLock { try add(piece, to: $0) }
        }
        // Each is digested while the next is copied, and read again while it is still in memory.
        let pieces = pieces(of: descriptor.size)
        try pieces.first.map(copyPiece)
        for (piece, next) in zip(pieces, pieces.dropFirst()) {
            let steps = [{ try copyPiece(next) }, { try digestPiece(piece) }] as [@Sendable () throws -> Void]
            for result in steps.concurrentMap({ step in Result { try step() } }) { try result.get() }
            try advanced(Int64(piece.count))
        }
        if let piece = pieces.last {
            try digestPiece(piece)
            try advanced(Int64(piece.count))
        }
        guard try hasher.withLock({ try file.finish($0) }) == descriptor.digest else {
            try note(prefix: 0)
            return false
        }
        try noteVerified()
        return true
    }

    /// Takes over what an interrupted run had of the blob, whole or its beginning.
    func copy(
        from interrupted: InterruptedLayout,
        index: Int,
        advanced: (_ byteCount: Int64) throws -> Void
    ) throws {
        let count = interrupted.presentCount(of: index)
        let offset = interrupted.plan.blobs[index].offset
        for piece in pieces(of: count) {
            let (start, count) = (piece.lowerBound, Int64(piece.count))
            try copy(from: interrupted.partial.file, at: offset + start, to: start, count: count)
            startWriteBack(after: piece)
            try advanced(count)
        }
        if interrupted.journal[index] == LayoutJournal.verified { try noteVerified() } else { try note(prefix: count) }
    }

    /// Divides the beginning of the blob into pieces that take no long time.
    private func pieces(of count: Int64) -> [Range<Int64>] {
        let length: Int64 = 16 << 20
        return stride(from: 0, to: count, by: Int(length)).map { $0..<min($0 + length, count) }
    }

    private func copy(from source: OpenFile, at offset: Int64, to start: Int64, count: Int64) throws(LayoutError) {
        var done: Int64 = 0
        while done < count {
            let target = blob.offset + start + done
            let (from, to) = (source.descriptor, file.descriptor)
            let copied = linux_copy_file_range(from, offset + done, to, target, Int(count - done))
            if copied > 0 {
                done += Int64(copied)
            } else if copied == 0 {
                throw source.error(.endsEarly(at: offset + done))
            } else if errno != EINTR {
                // Not between these two file systems; or one of the two files fails, and this way it shows which.
                return try file.copy(from: source, at: offset + done, to: target, count: count - done)
            }
        }
    }
}
