import Archive
import Foundation
import Testing

@Suite struct TarHeaderTests {
    static let hex = String(repeating: "0123456789abcdef", count: 8)

    @Test(
        arguments: [
            // Nothing to pad.
            [("oci-layout", 0), ("index.json", 512), ("a", 1024)],
            // The longest name that needs no more than ustar has always had.
            [(String(repeating: "n", count: 99), 65), (String(repeating: "n", count: 100), 8), ("dir/", 0)],
            // Everything to pad.
            [("oci-layout", 30), ("blobs/sha256/\(hex.prefix(64))", 1), ("b", 511), ("c", 513)],
            // 141 characters with nowhere to split them: a pax header.
            [("blobs/sha512/\(hex)", 100), ("after", 1)],
            // Long enough for the prefix of ustar, and too long for it.
            [(String(repeating: "d/", count: 80) + "file", 7), (String(repeating: "deep/", count: 80) + "file", 7)],
            // The last size that ustar can hold in octal, and the first that needs pax.
            [("blobs/sha256/\(hex.prefix(64))", (8 << 30) - 1), ("a", 1), ("blobs/sha256/\(hex.suffix(64))", 8 << 30)],
            [("blobs/sha256/\(hex.prefix(64))", 9 << 30), ("z", 3)],
            [],
        ] as [[(String, Int64)]]
    )
    func `an archive put together is the one that libarchive writes in one go`(_ entries: [(String, Int64)]) throws {
        let expected = try SequentialTar(entries: entries.map { ($0.0, $0.1) })
        var end: Int64 = 0
        for (path, byteCount) in entries {
            let header = try TarHeader.header(path: path, byteCount: byteCount)
            #expect(expected.bytes(at: end, count: header.count) == header, "\(path)")
            end += Int64(header.count)
            let length = try #require(TarHeader.paddedLength(byteCount))
            #expect(length == byteCount + Int64(TarHeader.padding(after: byteCount)))
            #expect(expected.isZero(from: end + byteCount, to: end + length))
            end += length
        }
        #expect(expected.isZero(from: end, to: end + TarHeader.endByteCount))
        #expect(expected.byteCount == end + TarHeader.endByteCount)
    }

    @Test(arguments: [("blobs/sha256/ab", 5, 512), ("blobs/sha512/\(hex)", 5, 1536), ("big", 9 << 30, 1536)])
    func `a header has one block, with pax three`(path: String, byteCount: Int64, expected: Int) throws {
        #expect(try TarHeader.header(path: path, byteCount: byteCount).count == expected)
    }

    @Test(arguments: [1, 77, 99, 100, 101, 141, 155, 256, 300])
    func `the size of a header is known without one`(length: Int) throws {
        let deep = String(String(repeating: "dir/", count: 80).suffix(length - 1)) + "a"
        for path in [String(repeating: "a", count: length), deep] {
            for byteCount in [0, 1, (8 << 30) - 1, 8 << 30, 9 << 30] as [Int64] {
                let header = try TarHeader.header(path: path, byteCount: byteCount)
                #expect(try TarHeader.byteCount(path: path, byteCount: byteCount) == Int64(header.count))
            }
        }
    }

    /// In a process of its own, where nothing else takes memory.
    ///
    /// libarchive left the buffer of its output behind when a writer was freed that had been told to fail.
    @Test func `making headers keeps no memory`() async {
        await #expect(processExitsWith: .success) {
            // A path that has libarchive make each.
            let path = String(repeating: "a", count: 101)
            func make() throws { for _ in 0..<150_000 { _ = try TarHeader.header(path: path, byteCount: 1) } }
            // Whatever is kept for good is kept after the first.
            try make()
            let before = try residentByteCount()
            try make()
            let growth = try residentByteCount() - before
            precondition(growth < 4 << 20, "\(growth)")
        }
    }

    @Test(arguments: ["é", "a\u{0}b", "naïve/file"])
    func `a path that a locale could change is refused`(path: String) throws {
        #expect(throws: ArchiveError.self) { try TarHeader.byteCount(path: path, byteCount: 1) }
        let error = try #require(throws: ArchiveError.self) { try TarHeader.header(path: path, byteCount: 1) }
        #expect(error.code == .unreadablePath)
        #expect(error.entry == path)
        #expect(error.description.hasPrefix("making a tar header: entry "))
    }

    @Test(arguments: [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024), (Int64.max, nil)] as [(Int64, Int64?)])
    func `lengths are rounded up to blocks`(byteCount: Int64, expected: Int64?) {
        #expect(TarHeader.paddedLength(byteCount) == expected)
    }
}

/// The memory that this process has now.
private func residentByteCount() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    return try #require(status.firstMatch(of: /VmRSS:\s+([0-9]+) kB/).flatMap { Int($0.1) }) * 1024
}

extension SequentialTar {
    /// Bytes that lie in one or several neighbouring pieces; nil where some of them are data.
    func bytes(at offset: Int64, count: Int) -> [UInt8]? {
        var result: [UInt8] = []
        for piece in pieces where piece.offset + Int64(piece.bytes.count) > offset && result.count < count {
            guard piece.offset <= offset + Int64(result.count) else { return nil }
            let skip = max(0, offset - piece.offset)
            result += piece.bytes.dropFirst(Int(skip)).prefix(count - result.count)
        }
        return result.count == count ? result : nil
    }

    /// Whether everything from one offset to another is padding, of zeros.
    func isZero(from start: Int64, to end: Int64) -> Bool {
        bytes(at: start, count: Int(end - start))?.allSatisfy { $0 == 0 } == true
    }
}
