import Archive
import CZlib
import Foundation
import TestSupport
import Testing

extension Testing.Tag {
    /// Runs programs of others on what we write, or reads what they write.
    @Tag static var interop: Self
}

@Suite struct TarIndexTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func index(_ name: String) throws(ArchiveError) -> [TarEntry] {
        let descriptor = open(scratch.path(name), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        return try TarIndex.read(descriptor: descriptor, path: name)
    }

    private func failure(_ bytes: [UInt8]) throws -> ArchiveError {
        try scratch.write(bytes, to: "x.tar")
        return try #require(throws: ArchiveError.self) { try index("x.tar") }
    }

    private static let files = [
        TarBytes.File("oci-layout", Array("{}".utf8)), TarBytes.File("empty", []),
        TarBytes.File("blobs/sha256/aa", RandomBytes.make(count: 100_000, seed: 4)),
        TarBytes.File("block", [UInt8](repeating: 7, count: 512)),
    ]

    @Test func `entries have the offsets of their data`() throws {
        let bytes = TarBytes.archive(Self.files)
        try scratch.write(bytes, to: "x.tar")
        let entries = try index("x.tar")
        #expect(entries.map(\.path) == Self.files.map(\.path))
        for (entry, file) in zip(entries, Self.files) {
            #expect(entry.kind == .regular)
            #expect(Array(bytes[Int(entry.offset)..<Int(entry.offset + entry.byteCount)]) == file.bytes)
        }
    }

    @Test func `each entry is told when it is found, before what follows is known to be whole`() throws {
        let bytes = TarBytes.archive(Self.files)
        try scratch.write(Array(bytes.dropLast(1024)), to: "x.tar")
        let descriptor = open(scratch.path("x.tar"), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var told: [String] = []
        #expect(throws: ArchiveError.self) {
            try TarIndex.read(descriptor: descriptor, path: "x.tar") { told.append($0.path) }
        }
        #expect(told == Self.files.map(\.path))
    }

    @Test(.tags(.interop), arguments: ["gnutar", "pax", "ustar", "v7"])
    func `every dialect is read`(format: String) throws {
        let content = RandomBytes.make(count: 3000, seed: 9)
        let long = String(repeating: "a-long-name-", count: format == "v7" ? 3 : 7)
        try scratch.write(content, to: "in/\(long)/\(long)")
        try scratch.write("x", to: "in/short")
        let arguments = ["--format", format, "-cf", scratch.path("x.tar"), "-C", scratch.path("in"), "short", long]
        try Command("bsdtar", arguments).check()
        let entries = try index("x.tar")
        #expect(entries.map(\.path) == ["short", "\(long)/", "\(long)/\(long)"])
        #expect(entries.map(\.kind) == [.regular, .directory, .regular])
        let found = try #require(entries.last)
        #expect(Array(try scratch.read("x.tar")[Int(found.offset)...].prefix(3000)) == content)
    }

    @Test(.tags(.interop), arguments: ["gnutar", "pax", "ustar"])
    func `a name that is not ASCII is read in UTF-8`(format: String) throws {
        try scratch.write("x", to: "in/naïve/é")
        try Command("bsdtar", ["--format", format, "-cf", scratch.path("x.tar"), "-C", scratch.path("in"), "naïve"])
            .check()
        #expect(try index("x.tar").map(\.path) == ["naïve/", "naïve/é"])
    }

    @Test(.tags(.interop)) func `links and directories are told apart`() throws {
        try scratch.write("x", to: "in/file")
        try FileManager.default.createSymbolicLink(atPath: scratch.path("in/soft"), withDestinationPath: "file")
        #expect(link(scratch.path("in/file"), scratch.path("in/zhard")) == 0)
        #expect(mkfifo(scratch.path("in/pipe"), 0o644) == 0)
        let names = ["file", "soft", "zhard", "pipe", "."]
        try Command("bsdtar", ["-cnf", scratch.path("x.tar"), "-C", scratch.path("in")] + names).check()
        let kinds = try index("x.tar").map(\.kind)
        #expect(
            kinds == [
                .regular, .symbolicLink(target: "file"), .hardLink(target: "file"), .special, .directory,
            ]
        )
    }

    @Test(.tags(.interop), arguments: [("gzip", "gunzip"), ("zstd", "zstd -d"), ("xz", "unxz")])
    func `a compressed archive is refused with the command that decompresses it`(tool: String, advice: String) throws {
        let plain = TarBytes.archive(Self.files)
        let compressed = try Command(tool, ["-c"], input: plain).check().output
        let error = try failure(compressed)
        #expect(error.code == .compressed(filter: tool))
        #expect(error.description.hasSuffix("decompress it first: \(advice) x.tar"))
    }

    @Test(arguments: [0, 1, 511, 512, 5000, 100_000])
    func `what is no tar file is refused`(byteCount: Int) throws {
        let error = try failure(RandomBytes.make(count: byteCount, seed: 3))
        guard case .notTar = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(error.path == "x.tar")
        #expect(!error.isDamage)
    }

    @Test func `a file that is cut anywhere is refused`() throws {
        let whole = TarBytes.archive(Self.files)
        for length in Array(stride(from: 512, to: whole.count, by: 512)) + [whole.count - 1, whole.count - 1023] {
            let error = try failure(Array(whole[..<length]))
            #expect(error.isDamage, "\(length): \(error)")
            if case .truncated(let needed, let count) = error.code {
                #expect(count == Int64(length))
                #expect(needed > count)
            }
        }
        try scratch.write(whole, to: "x.tar")
        #expect(try index("x.tar").count == 4)
    }

    @Test func `zeros after the end do not matter`() throws {
        try scratch.write(TarBytes.archive(Self.files) + [UInt8](repeating: 0, count: 9000), to: "x.tar")
        #expect(try index("x.tar").count == 4)
    }

    @Test func `a damaged header is refused`() throws {
        var bytes = TarBytes.archive(Self.files)
        bytes[1024] ^= 1
        let error = try failure(bytes)
        #expect(error.isDamage)
        #expect(error.description.contains("a header is damaged"))
    }

    @Test(.tags(.interop), arguments: ["gnu", "posix"])
    func `a sparse entry is refused`(format: String) throws {
        let descriptor = open(scratch.path("holes"), O_CREAT | O_WRONLY, 0o644)
        #expect(pwrite(descriptor, "data", 4, 1 << 20) == 4)
        close(descriptor)
        let arguments = ["--format=\(format)", "-cSf", scratch.path("x.tar"), "-C", scratch.path, "holes"]
        try Command("tar", arguments).check()
        let error = try #require(throws: ArchiveError.self) { try index("x.tar") }
        #expect(error.code == .sparseEntry)
        #expect(error.entry == "holes")
    }

    @Test func `a size that no file can have is refused`() throws {
        // Base 256, the largest value; the data ends beyond any file.
        var header = TarBytes.header(path: "huge", byteCount: 0)
        header.replaceSubrange(124..<136, with: [0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255])
        header.replaceSubrange(148..<156, with: Array("        ".utf8))
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        header.replaceSubrange(
            148..<156,
            with: Array((String(repeating: "0", count: 6 - sum.count) + sum + "\0 ").utf8)
        )
        #expect(try failure(header + TarBytes.end).isDamage)
    }

    /// Sizes that libarchive tells while it goes on by another; the first once made a range that ended before it began.
    @Test(arguments: [
        ["SCHILY.realsize": "-5"], ["SCHILY.realsize": "513"], ["GNU.sparse.size": "1200"],
        ["GNU.sparse.name": "other", "GNU.sparse.realsize": "-7"], ["GNU.sparse.map": "", "GNU.sparse.size": "-3"],
        ["GNU.sparse.numblocks": "0", "GNU.sparse.size": "1200"],
    ])
    func `a size that is not that of the data is refused`(records: [String: String]) throws {
        let file = [TarBytes.File("first", [1, 2, 3, 4, 5])]
        for others in [[], [TarBytes.File("second", [6])]] {
            let error = try failure(Self.paxHeader(records) + TarBytes.archive(file + others))
            #expect(error.isDamage || error.code == .sparseEntry, "\(error)")
            #expect(error.entry == records["GNU.sparse.name"] ?? "first")
        }
        // Where it says nothing else it may be said.
        try scratch.write(Self.paxHeader(["SCHILY.realsize": "5"]) + TarBytes.archive(file), to: "x.tar")
        #expect(try index("x.tar").map(\.byteCount) == [5])
    }

    /// A header of records for the entry that comes next.
    private static func paxHeader(_ records: [String: String]) -> [UInt8] {
        let body = records.sorted { $0.key < $1.key }.flatMap { key, value in
            let record = " \(key)=\(value)\n"
            // The length counts itself.
            let count = (1...9).map { record.utf8.count + $0 }.first { "\($0)".utf8.count + record.utf8.count == $0 }
            return Array("\(count ?? 0)\(record)".utf8)
        }
        return TarBytes.header(path: "pax", byteCount: Int64(body.count), type: "x") + body
            + [UInt8](repeating: 0, count: TarBytes.padding(after: body.count))
    }

    @Test func `a path beyond the limit is refused`() throws {
        let header = Self.paxHeader(["path": String(repeating: "long/", count: 900)])
        let error = try failure(header + TarBytes.archive([TarBytes.File("short", [1])]))
        #expect(error.code == .pathTooLong(limit: TarIndex.pathLimit))
    }

    @Test(arguments: ["1", "2"])
    func `a link's target beyond the limit is refused`(type: String) throws {
        let header = Self.paxHeader(["linkpath": String(repeating: "long/", count: 900)])
        let link = TarBytes.header(path: "link", byteCount: 0, type: Character(type), link: "x")
        let error = try failure(header + link + TarBytes.end)
        #expect(error.code == .pathTooLong(limit: TarIndex.pathLimit))
        #expect(error.entry == "link")
    }

    @Test func `an archive of twenty thousand entries is indexed without reading its data`() throws {
        let path = scratch.path("x.tar")
        let descriptor = open(path, O_CREAT | O_RDWR, 0o644)
        defer { close(descriptor) }
        var offset = 0
        for number in 0..<20_000 {
            let header = TarBytes.header(path: "blobs/sha256/\(number)", byteCount: 1 << 20)
            #expect(pwrite(descriptor, header, 512, offset) == 512)
            offset += 512 + 1 << 20
        }
        #expect(ftruncate(descriptor, off_t(offset + 1024)) == 0)
        let before = try Self.byteCountRead()
        let entries = try TarIndex.read(descriptor: descriptor, path: path)
        // A header and what comes in the same read, out of more than a megabyte each.
        #expect(try Self.byteCountRead() - before < 20_000 * 40_000)
        #expect(entries.count == 20_000)
        #expect(entries.last?.offset == Int64(offset - (1 << 20)))
    }

    /// What this thread has read so far.
    private static func byteCountRead() throws -> Int {
        let text = try String(contentsOfFile: "/proc/thread-self/io", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("rchar: ") })
        return try #require(Int(line.dropFirst("rchar: ".count)))
    }
}
