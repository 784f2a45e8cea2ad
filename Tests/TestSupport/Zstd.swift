/// Zstd data: by its own tool, or by hand where that would not make it.
package enum Zstd {
    /// The bytes as one frame.
    package static func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        try Command("zstd", ["-qc"], input: bytes).check().output
    }

    /// Zeros in one frame: four bytes for each 128 KiB, which no tool reaches.
    ///
    /// - Parameters:
    ///   - count: how many times 128 KiB.
    ///   - windowLog: the binary logarithm of the window that the frame asks for: at least 17.
    /// - Returns: the frame.
    package static func zeros(count: Int, windowLog: Int = 17) -> [UInt8] {
        let block = { (isLast: Bool) in
            let header = (128 << 10) << 3 | 1 << 1 | (isLast ? 1 : 0)
            return [UInt8(header & 0xff), UInt8(header >> 8 & 0xff), UInt8(header >> 16), 0]
        }
        let head: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0, UInt8((windowLog - 10) << 3)]
        return head + (1..<max(1, count)).flatMap { _ in block(false) } + block(true)
    }

    /// A frame that is to be skipped, as some tools put before or after the others.
    package static let skipped: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
}
