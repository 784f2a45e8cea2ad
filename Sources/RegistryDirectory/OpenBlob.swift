/// A blob that is open for reading: a range of a file that stays open as long as this value.
package final class OpenBlob: Sendable {
    /// The open file, for `pread` and `sendfile`.
    package let descriptor: Int32
    /// Where the blob begins in the file.
    package let offset: Int64
    /// The blob's size in bytes.
    package let byteCount: Int64

    /// Keeps the file open.
    private let owner: Descriptor

    /// Takes ownership of an open file.
    package init(descriptor: Int32, offset: Int64, byteCount: Int64) {
        self.descriptor = descriptor
        self.offset = offset
        self.byteCount = byteCount
        owner = Descriptor(descriptor)
    }

    /// Shares an open file that is the blob.
    init(_ file: Descriptor, byteCount: Int64) {
        descriptor = file.number
        offset = 0
        self.byteCount = byteCount
        owner = file
    }
}
