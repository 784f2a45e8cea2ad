import OCI

extension OpenFile {
    /// What is read at a time: more is no faster, and many blobs are read at once.
    static let pieceLength = 128 << 10

    /// Adds a range to a digest.
    ///
    /// - Parameters:
    ///   - range: the bytes.
    ///   - hasher: what they are added to.
    ///   - advanced: hears of each part that was read; what it throws ends the work.
    /// - Throws: what `advanced` throws, or ``LayoutError`` where the file cannot be read.
    func digest(
        _ range: Range<Int64>,
        into hasher: DigestHasher,
        advanced: (_ byteCount: Int64) throws -> Void
    ) throws {
        let length: Int64 = 1 << 20
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(length)) {
            let part = start..<min(start + length, range.upperBound)
            try digest(part, into: hasher)
            try advanced(Int64(part.count))
        }
    }

    /// Adds a range to a digest.
    func digest(_ range: Range<Int64>, into hasher: DigestHasher) throws(LayoutError) {
        try unsafe forEachPiece(of: range) { piece, _ in unsafe hasher.update(piece) }
    }

    /// Ends a digest of this file's bytes.
    func finish(_ hasher: DigestHasher) throws(LayoutError) -> Digest {
        do {
            return try hasher.finish()
        } catch {
            throw self.error(.digest(reason: error.description))
        }
    }

    /// Copies bytes from a file, from the first to the last: within one file they may overlap where they move down.
    func copy(from source: OpenFile, at offset: Int64, to target: Int64, count: Int64) throws(LayoutError) {
        try unsafe source.forEachPiece(of: offset..<(offset + count)) { piece, position throws(LayoutError) in
            try unsafe write(piece, at: target + position)
        }
    }

    private func forEachPiece(
        of range: Range<Int64>,
        _ body: (UnsafeRawBufferPointer, Int64) throws(LayoutError) -> Void
    ) throws(LayoutError) {
        var buffer = [UInt8](repeating: 0, count: min(range.count, Self.pieceLength))
        try unsafe buffer.withUnsafeMutableBufferPointer { buffer throws(LayoutError) in
            let whole = UnsafeMutableRawBufferPointer(buffer)
            var done = 0
            while done < range.count {
                let count = min(range.count - done, Self.pieceLength)
                let part = unsafe UnsafeMutableRawBufferPointer(rebasing: whole.prefix(count))
                try unsafe read(into: part, at: range.lowerBound + Int64(done))
                try unsafe body(UnsafeRawBufferPointer(part), Int64(done))
                done += count
            }
        }
    }
}
