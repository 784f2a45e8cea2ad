package import OCI

/// The place of one blob within a bundle that is being filled.
package struct LayoutSlot: Sendable {
    let file: OpenFile
    let blob: LayoutPlan.Blob

    /// What is to be written here.
    package var descriptor: Descriptor { blob.descriptor }

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
        file.startWriteBack(ofWindowsBefore: blob.offset + offset + Int64(bytes.count), byteCount: bytes.count)
    }
}
