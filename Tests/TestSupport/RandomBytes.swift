/// A small generator whose numbers depend on its seed alone.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts at a seed.
    package init(seed: UInt64) { state = seed }

    /// The next number.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Bytes that depend on a seed alone, that nothing compresses, and of which a debug build makes a gigabyte a second.
package enum RandomBytes {
    private static let pageSize = 4096

    /// One mebibyte of random numbers that everything is made of.
    private static let block: [UInt8] = {
        var generator = SplitMix64(seed: 0x6472_6179_6167)
        var block = [UInt8](repeating: 0, count: 1 << 20)
        block.withUnsafeMutableBytes { buffer in
            for offset in stride(from: 0, to: buffer.count, by: 8) {
                buffer.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
            }
        }
        return block
    }()

    /// That many bytes.
    package static func make(count: Int, seed: UInt64) -> [UInt8] {
        var generator = SplitMix64(seed: seed)
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer), from: &generator)
            initialized = count
        }
    }

    /// Fills a buffer; for the parts of a long stream pass the same generator, and whole pages but for the last.
    package static func fill(_ buffer: UnsafeMutableRawBufferPointer, from generator: inout SplitMix64) {
        block.withUnsafeBytes { block in
            // Each page is a page of the block with its own number over its beginning: far cheaper than new numbers, and
            // still no two pages are the same and none has a repetition within a compressor's reach.
            for start in stride(from: 0, to: buffer.count, by: pageSize) {
                let count = min(pageSize, buffer.count - start)
                let number = generator.next()
                let source = block[(start & (block.count - 1))...].prefix(count)
                UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + count)]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source)
                )
                withUnsafeBytes(of: number.littleEndian) { stamp in
                    let length = min(stamp.count, count)
                    UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + length)]).copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: stamp[..<length])
                    )
                }
            }
        }
    }
}
