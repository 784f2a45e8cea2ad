package import OCI

/// The place of one blob within a bundle that is being filled.
package struct LayoutSlot: Sendable {
    let file: OpenFile
    let blob: LayoutPlan.Blob
    /// Where it is noted how far it is; nil where it is only put right.
    let journal: LayoutJournal?
    let index: Int
    /// What small blobs are brought to disk with; nil where that is left to the end.
    var windows: SmallBlobWindows?

    /// What is to be written here.
    package var descriptor: Descriptor { blob.descriptor }

    /// Whether every byte is there, and has been verified.
    package var isVerified: Bool { journal?[index] == LayoutJournal.verified }

    /// How many bytes of the beginning are there, as far as they will verify.
    package var prefixCount: Int64 { isVerified ? descriptor.size : journal?[index] ?? 0 }

    /// Writes bytes of the blob to where they stay.
    ///
    /// Any number of threads may write different bytes at once.
    ///
    /// - Parameters:
    ///   - bytes: the bytes; they are not kept.
    ///   - offset: where they belong within the blob.
    /// - Throws: ``LayoutError`` with `beyondBlob` when they do not fit into the blob, else with the system's reason.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(LayoutError) {
        guard offset >= 0, offset <= descriptor.size, Int64(bytes.count) <= descriptor.size - offset else {
            throw file.error(.beyondBlob(descriptor.digest, byteCount: descriptor.size))
        }
        try unsafe file.write(bytes, at: blob.offset + offset)
        startWriteBack(after: offset..<(offset + Int64(bytes.count)))
    }

    /// Starts to bring to disk what a write has completed: a window of the blob, or its end, or one that it shares.
    ///
    /// Else the disk would have nothing to do until the file is synced, and then nothing else would be done.
    func startWriteBack(after written: Range<Int64>) {
        if let range = writeBack(after: written) { file.startWriteBack(of: range) }
        guard blob.isSmall, written.upperBound == descriptor.size, let windows else { return }
        for range in windows.noteWritten(blob) { file.startWriteBack(of: range) }
    }

    /// What of the file is to be written back after a write to a blob that is not small.
    func writeBack(after written: Range<Int64>) -> Range<Int64>? {
        guard !blob.isSmall else { return nil }
        let window: Int64 = 8 << 20
        let (start, end) = (blob.offset + written.lowerBound, blob.offset + written.upperBound)
        // The file's own windows: a page that two of them share would be written twice.
        let first = max(blob.offset, start / window * window)
        let last = written.upperBound == descriptor.size ? end : end / window * window
        return first < last ? first..<last : nil
    }

    /// Notes that so many bytes of the beginning are there: should the run be interrupted, they are not fetched again.
    package func note(prefix count: Int64) throws(LayoutError) { try journal?.note(count, of: index) }

    /// Notes that every byte is there, and has been verified.
    package func noteVerified() throws(LayoutError) { try journal?.note(LayoutJournal.verified, of: index) }

    /// Adds bytes of the blob, as they are in the file, to a digest.
    ///
    /// - Throws: ``LayoutError`` where the file cannot be read.
    package func add(_ range: Range<Int64>, to hasher: DigestHasher) throws(LayoutError) {
        try file.digest((blob.offset + range.lowerBound)..<(blob.offset + range.upperBound), into: hasher)
    }

    /// Digests the beginning of the blob as it is in the file.
    ///
    /// - Parameters:
    ///   - hasher: what the bytes are added to.
    ///   - count: how many bytes.
    ///   - advanced: hears of each piece that was read; what it throws ends the work.
    /// - Throws: what `advanced` throws, or ``LayoutError`` where the file cannot be read.
    package func addPrefix(
        to hasher: DigestHasher,
        count: Int64,
        advanced: (_ byteCount: Int64) throws -> Void
    ) throws {
        try file.digest(blob.offset..<(blob.offset + count), into: hasher, advanced: advanced)
    }
}
