import CLinux
import Glibc
import OCI

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
        let hasher = DigestHasher(algorithm: descriptor.digest.algorithm)
        // Piece by piece, so that what has been copied is read again while it is still in memory.
        try forEachPiece(of: descriptor.size) { start, count in
            try copy(from: source.file, at: source.range.lowerBound + start, to: start, count: count)
            startWriteBack(after: start..<(start + count))
            try file.digest((blob.offset + start)..<(blob.offset + start + count), into: hasher)
            try advanced(count)
        }
        guard try file.finish(hasher) == descriptor.digest else {
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
        try forEachPiece(of: count) { start, count in
            try copy(from: interrupted.partial.file, at: offset + start, to: start, count: count)
            try advanced(count)
        }
        if interrupted.journal[index] == LayoutJournal.verified { try noteVerified() } else { try note(prefix: count) }
    }

    /// Divides the beginning of the blob into pieces that take no long time.
    func forEachPiece(of count: Int64, _ body: (_ start: Int64, _ count: Int64) throws -> Void) rethrows {
        let length: Int64 = 16 << 20
        for start in stride(from: 0, to: count, by: Int(length)) { try body(start, min(length, count - start)) }
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
