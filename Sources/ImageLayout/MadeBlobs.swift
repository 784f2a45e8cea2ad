import CLinux
import Glibc
import OCI

/// Blobs that a layout does not have as bytes of its own, in a file in memory that has no name.
struct MadeBlobs {
    let file: OpenFile
    let ranges: [Digest: Range<Int64>]

    /// Writes them down.
    ///
    /// - Parameters:
    ///   - blobs: their bytes.
    ///   - path: what errors call the layout.
    /// - Throws: ``LayoutError`` with the system's reason.
    init(_ blobs: [Digest: [UInt8]], path: String) throws(LayoutError) {
        let descriptor = linux_memory_file()
        guard descriptor >= 0 else {
            throw LayoutError(.system(operation: "making a file in memory", errno: errno), .reading, path: path)
        }
        file = OpenFile(descriptor: descriptor, path: path, operation: .reading)
        var ranges: [Digest: Range<Int64>] = [:]
        var end: Int64 = 0
        for (digest, bytes) in blobs {
            try file.write(bytes, at: end)
            ranges[digest] = end..<(end + Int64(bytes.count))
            end += Int64(bytes.count)
        }
        self.ranges = ranges
    }
}
