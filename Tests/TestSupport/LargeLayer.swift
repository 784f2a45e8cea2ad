import Foundation
import OCI

extension ImageBuilder {
    /// A layer that is written to a file as it is made, and never held in memory: a tar, not compressed, with one file of
    /// bytes that do not compress; of exactly that many bytes, rounded up to whole tar blocks.
    package mutating func largeLayer(byteCount: Int64, at path: String) throws -> TestBlob {
        let output = try OutputFile(path)
        let overhead = Int64(TarBytes.blockSize + TarBytes.end.count)
        let dataCount = max(0, byteCount - overhead)
        try output.write(TarBytes.header(path: "srv/large", byteCount: dataCount))
        var rest = dataCount
        var random = SplitMix64(seed: generator.next())
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while rest > 0 {
            let count = Int(min(rest, Int64(buffer.count)))
            buffer.withUnsafeMutableBytes { RandomBytes.fill($0, from: &random) }
            try output.write(buffer[..<count])
            rest -= Int64(count)
        }
        try output.write([UInt8](repeating: 0, count: TarBytes.padding(after: Int(dataCount % 512))) + TarBytes.end)
        let (digest, size) = try output.finish()
        let descriptor = Descriptor(mediaType: family.plainLayer, digest: digest, size: size)
        return TestBlob(descriptor: descriptor, content: .file(path), diffID: digest)
    }
}

/// A file that is digested as it is written.
private final class OutputFile {
    private let handle: FileHandle
    private let hasher = DigestHasher(algorithm: .sha256)
    private var byteCount: Int64 = 0

    init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else { throw SystemError("creating \(path)") }
        handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    func write(_ bytes: some Collection<UInt8>) throws {
        let array = Array(bytes)
        array.withUnsafeBytes { hasher.update($0) }
        try handle.write(contentsOf: array)
        byteCount += Int64(array.count)
    }

    func finish() throws -> (Digest, Int64) {
        try handle.close()
        return (try hasher.finish(), byteCount)
    }
}
