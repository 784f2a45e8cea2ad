import Archive
import TestSupport
import Testing

@Suite struct DecompressionTests {
    /// What comes of data that is given in pieces of some length.
    private func decompress(
        _ bytes: [UInt8],
        _ compression: Compression,
        limit: Int64 = .max,
        pieceLength: Int = 1000
    ) throws -> [UInt8] {
        var (rest, result): (ArraySlice<UInt8>, [UInt8]) = (bytes[...], [])
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceLength, alignment: 1)
        defer { buffer.deallocate() }
        try Decompression.run(compression, limit: limit, path: "x.tar") {
            let piece = rest.prefix(pieceLength)
            rest = rest.dropFirst(pieceLength)
            buffer.copyBytes(from: piece)
            return UnsafeRawBufferPointer(rebasing: buffer[..<piece.count])
        } into: {
            result += $0
        }
        return result
    }

    /// The error's text in parentheses; nil where there is none.
    private func damage(_ bytes: [UInt8], _ compression: Compression) throws -> String? {
        do {
            _ = try decompress(bytes, compression)
            return nil
        } catch let error as ArchiveError {
            guard case .damagedData(compression, let reason) = error.code else { throw error }
            #expect(error.isDamage)
            #expect(error.path == "x.tar")
            #expect(error.cause == "it does not decompress with \(compression) (\(reason))")
            return reason
        }
    }

    static let content = RandomBytes.make(count: 200_000, seed: 1) + [UInt8](repeating: 7, count: 300_000)

    private static func compress(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
        switch compression {
        case .gzip: try Gzip.compress(bytes)
        case .zstd: try Zstd.compress(bytes)
        case .xz: try Command("xz", ["-0c"], input: bytes).check().output
        }
    }

    static let all: [Compression] = [.gzip, .zstd, .xz]
    /// Those of layers.
    static let both: [Compression] = [.gzip, .zstd]

    @Test(arguments: all, [1, 7, 1000, 128 << 10, 1 << 20])
    func `data comes out whatever pieces it is given in`(compression: Compression, pieceLength: Int) throws {
        let data = try Self.compress(Self.content, compression)
        #expect(try decompress(data, compression, pieceLength: pieceLength) == Self.content)
    }

    @Test(arguments: all) func `several members or frames are one content`(compression: Compression) throws {
        // The second one's content ends with a buffer of ours, the third one has none.
        let parts = [Self.content, [UInt8](repeating: 1, count: 128 << 10), [], Array("end".utf8)]
        let data = try parts.flatMap { try Self.compress($0, compression) }
        for length in [1, 999, data.count] {
            #expect(try decompress(data, compression, pieceLength: length) == parts.flatMap(\.self))
        }
    }

    @Test(arguments: all) func `the content may be empty`(compression: Compression) throws {
        #expect(try decompress(try Self.compress([], compression), compression) == [])
    }

    @Test(arguments: all) func `only one level is undone`(compression: Compression) throws {
        let once = try Self.compress(Self.content, compression)
        #expect(try decompress(try Self.compress(once, compression), compression) == once)
    }

    @Test(arguments: both) func `data that is cut anywhere is refused`(compression: Compression) throws {
        let data = try Self.compress(Array("a little content, and some more".utf8), compression)
        for length in 1..<data.count {
            #expect(try damage(Array(data[..<length]), compression) != nil, "\(length)")
        }
        let large = try Self.compress(Self.content, compression)
        for length in [5000, 100_000, large.count - 1] {
            let reason = try damage(Array(large[..<length]), compression)
            #expect(reason == (compression == .gzip ? "it ends early" : "Truncated zstd input"))
        }
        // And in the second of two.
        let reason = try damage(large + data.dropLast(3), compression)
        #expect(reason == (compression == .gzip ? "it ends early" : "Truncated zstd input"))
    }

    @Test func `xz that is cut or has a flipped bit is refused`() throws {
        let data = try Self.compress(Self.content, .xz)
        for length in [1, 5, 6, 12, 1000, 100_000, data.count - 1] {
            #expect(try damage(Array(data[..<length]), .xz) != nil, "\(length)")
        }
        var flipped = data
        flipped[100_000] ^= 1
        #expect(try damage(flipped, .xz) != nil)
        #expect(try damage(data + Array("junk".utf8), .xz) != nil)
    }

    @Test(arguments: both) func `a flipped bit is found`(compression: Compression) throws {
        var data = try Self.compress(Self.content, compression)
        // Within the bytes that do not compress, where only the sum at the end tells.
        data[100_000] ^= 1
        let expected = compression == .gzip ? "incorrect data check" : "doesn't match checksum"
        #expect(try damage(data, compression)?.contains(expected) == true)
    }

    /// As the runtimes that unpack layers have it: zeros are no exception.
    @Test(arguments: both, [Array("junk".utf8), [0], [UInt8](repeating: 0, count: 512)])
    func `nothing else may follow`(compression: Compression, junk: [UInt8]) throws {
        let data = try Self.compress(Self.content, compression)
        let reason = try #require(try damage(data + junk, compression))
        if compression == .gzip, junk.count > 1 { #expect(reason == "after 1 gzip member: incorrect header check") }
    }

    @Test(arguments: both) func `what is something else is refused`(compression: Compression) throws {
        let other = try Self.compress(Self.content, compression == .gzip ? .zstd : .gzip)
        for data in [other, RandomBytes.make(count: 3000, seed: 2), [UInt8](repeating: 0, count: 1024)] {
            let reason = try #require(try damage(data, compression))
            #expect(reason.contains(compression == .gzip ? "incorrect header check" : "Unknown frame descriptor"))
        }
    }

    @Test(arguments: all) func `more than the limit does not come out`(compression: Compression) throws {
        let data = try Self.compress(Self.content, compression)
        #expect(try decompress(data, compression, limit: 500_000) == Self.content)
        let error = try #require(throws: ArchiveError.self) { try decompress(data, compression, limit: 499_999) }
        #expect(error.code == .expandsTooFar(limit: 499_999))
        #expect(error.isDamage)
        #expect(
            error.description == """
                reading x.tar: it decompresses to more than 499999 bytes, which is 1 GiB and 1,100 times its own size
                """
        )
    }

    @Test func `the limit is what no gzip reaches`() throws {
        #expect(Decompression.limit(of: 0) == 1 << 30)
        #expect(Decompression.limit(of: 1_000_000) == 1 << 30 + 1_100_000_000)
        #expect(Decompression.limit(of: .max) == .max)
        #expect(Decompression.limit(of: .max / 1100) == .max)
        let zeros = [UInt8](repeating: 0, count: 50_000_000)
        let data = try Gzip.compress(zeros, level: 9)
        #expect(Int64(zeros.count) <= Int64(data.count) * 1032)
    }
}

@Suite struct ZstdTests {
    private func count(_ bytes: [UInt8]) throws -> Int {
        var (isRead, count) = (false, 0)
        try bytes.withUnsafeBytes { bytes in
            try Decompression.run(.zstd, limit: .max, path: "x.tar") {
                defer { isRead = true }
                return isRead ? UnsafeRawBufferPointer(rebasing: bytes[..<0]) : bytes
            } into: {
                count += $0.count
            }
        }
        return count
    }

    @Test func `a frame that is to be skipped is, wherever it stands`() throws {
        let frame = try Zstd.compress(Array("content".utf8))
        #expect(try count(Zstd.skipped + frame) == 7)
        #expect(try count(frame + Zstd.skipped) == 7)
        #expect(try count(frame + Zstd.skipped + frame) == 14)
    }

    @Test func `a window of up to 128 MiB is given, and no larger one`() throws {
        for windowLog in [17, 23, 27] {
            #expect(try count(Zstd.zeros(count: 10, windowLog: windowLog)) == 10 << 17)
        }
        // 256 MiB, 2 GiB, and the largest that a frame can ask for.
        for windowLog in [28, 31, 41] {
            let error = try #require(throws: ArchiveError.self) {
                try count(Zstd.zeros(count: 10, windowLog: windowLog))
            }
            #expect(
                error.code
                    == .damagedData(
                        .zstd,
                        reason: "Zstd decompression failed: Frame requires too much memory for decoding"
                    )
            )
        }
    }
}

/// What a callback throws ends the work and comes out as it is.
@Suite struct DecompressionCallbackTests {
    private struct Stop: Error, Equatable {
        let call: Int
    }

    @Test(arguments: DecompressionTests.both, [1, 2, 5])
    func `what the source throws comes out`(compression: Compression, call: Int) throws {
        let data =
            compression == .gzip
            ? try Gzip.compress(DecompressionTests.content) : try Zstd.compress(DecompressionTests.content)
        var calls = 0
        #expect(throws: Stop(call: call)) {
            try data.withUnsafeBytes { data in
                try Decompression.run(compression, limit: .max, path: "x.tar") {
                    calls += 1
                    if calls == call { throw Stop(call: calls) }
                    return UnsafeRawBufferPointer(rebasing: data[((calls - 1) * 1000)..<(calls * 1000)])
                } into: { _ in
                }
            }
        }
        #expect(calls == call)
    }

    @Test(arguments: DecompressionTests.both, [1, 3])
    func `what the taker throws comes out`(compression: Compression, call: Int) throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let data = compression == .gzip ? try Gzip.compress(zeros) : try Zstd.compress(zeros)
        var calls = 0
        #expect(throws: Stop(call: call)) {
            try data.withUnsafeBytes { data in
                try Decompression.run(compression, limit: .max, path: "x.tar") {
                    data
                } into: { _ in
                    calls += 1
                    if calls == call { throw Stop(call: calls) }
                }
            }
        }
        #expect(calls == call)
    }
}

@Suite struct CompressionTests {
    /// The first bytes, and what they are of.
    @Test(
        arguments: [
            ([0x1f, 0x8b, 8, 0], .gzip), ([0x1f, 0x8b], .gzip), ([0x28, 0xb5, 0x2f, 0xfd], .zstd),
            ([0x50, 0x2a, 0x4d, 0x18], .zstd), ([0x5f, 0x2a, 0x4d, 0x18], .zstd), ([0x60, 0x2a, 0x4d, 0x18], nil),
            ([0x28, 0xb5, 0x2f], nil), ([0x1f], nil), ([], nil), (Array("BZh9".utf8), nil),
            (Array("PK\u{3}\u{4}".utf8), nil),
        ] as [([UInt8], Compression?)]
    )
    func `a compression is told by its first bytes`(bytes: [UInt8], expected: Compression?) {
        #expect(Compression(beginning: bytes) == expected)
    }
}
