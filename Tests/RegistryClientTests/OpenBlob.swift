import Foundation
import OCI
import RegistryClient
import TestSupport

/// Blobs in one file, open as a bundle is: something before them, between them and after them.
final class OpenBlob: Sendable {
    private let scratch: ScratchDirectory
    private let descriptor: Int32
    /// Where each of the blobs is.
    let ranges: [FileRange]

    /// Where the first blob is.
    var range: FileRange { ranges[0] }

    convenience init(_ blobs: TestBlob...) throws { try self.init(blobs) }

    init(_ blobs: [TestBlob]) throws {
        scratch = try ScratchDirectory()
        var bytes = RandomBytes.make(count: 700, seed: 99)
        var places: [(offset: Int, count: Int)] = []
        for blob in blobs {
            let content = try blob.bytes
            places.append((bytes.count, content.count))
            bytes += content + RandomBytes.make(count: 13, seed: 98)
        }
        let path = try scratch.write(bytes, to: "bundle")
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("opening \(path)") }
        self.descriptor = descriptor
        ranges = places.map {
            FileRange(descriptor: descriptor, offset: Int64($0.offset), byteCount: Int64($0.count))
        }
    }

    deinit { close(descriptor) }
}
