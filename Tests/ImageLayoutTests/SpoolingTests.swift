import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Archive
@testable import ImageLayout

/// Compressed layouts, which are unpacked to be read.
@Suite struct SpoolingTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private var path: String { scratch.path("bundle") }

    private enum Tool: String, CaseIterable {
        case gzip
        case zstd
        case xz

        func compress(_ bytes: [UInt8]) throws -> [UInt8] {
            try Command(rawValue, self == .zstd ? ["-qc"] : ["-c"], input: bytes).check().output
        }
    }

    private func images() throws -> NamedImages {
        var builder = ImageBuilder(seed: 1210)
        return NamedImages([("r.example/app:1", try builder.image(layers: [builder.opaqueLayer(byteCount: 300_000)]))])
    }

    private func plain() throws -> [UInt8] { handmadeBundle(try layoutFiles(try images())) }

    @Test(arguments: Tool.allCases) private func `a compressed bundle is read as it is inside`(tool: Tool) throws {
        let bytes = try plain()
        try scratch.write(try tool.compress(bytes), to: "bundle")
        let announced = Mutex<[Int64]>([])
        var spooling = Spooling()
        spooling.began = { path, count in announced.withLock { $0.append(count) } }
        let reader = try LayoutReader(path: path, spooling: spooling)
        #expect(announced.withLock { $0 } == [Int64(bytes.count)])
        #expect(reader.isCompressed)
        #expect(reader.problems.isEmpty)
        #expect(reader.byteCount == Int64(try scratch.read("bundle").count))
        for (digest, content) in try images().allBytes {
            #expect(try reader.bytes(of: digest, limit: content.count) == content)
        }
        // What was unpacked has no name, here or elsewhere.
        #expect(try scratch.names() == ["bundle"])
    }

    @Test func `several members, as parallel compressors write them, are one file`() throws {
        let bytes = try plain()
        let parts = [bytes[..<70_000], bytes[70_000...]]
        try scratch.write(try parts.flatMap { try Gzip.compress(Array($0)) }, to: "bundle")
        #expect(try LayoutReader(path: path).problems.isEmpty)
    }

    @Test func `it is unpacked in the directory that is named`() throws {
        try scratch.write(try Gzip.compress(plain()), to: "bundle")
        var spooling = Spooling()
        spooling.directory = scratch.path("nowhere")
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path, spooling: spooling) }
        #expect(error.code == .system(operation: "making a file there", errno: ENOENT))
        #expect(error.description.contains("\(path), unpacked in \(scratch.path("nowhere"))"))
        try FileManager.default.createDirectory(atPath: scratch.path("there"), withIntermediateDirectories: false)
        spooling.directory = scratch.path("there")
        let reader = try LayoutReader(path: path, spooling: spooling)
        // The descriptor still says where it lies.
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(reader.file.descriptor)")
        #expect(link.hasPrefix(scratch.path("there") + "/"))
        #expect(try scratch.names(in: "there") == [])
    }

    @Test(arguments: Tool.allCases) private func `damage is told, and nothing is left`(tool: Tool) throws {
        var bytes = try tool.compress(plain())
        bytes.removeLast(bytes.count / 3)
        try scratch.write(bytes, to: "bundle")
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        guard case .archive(let cause) = error.code, case .damagedData = cause.code else {
            Issue.record("\(error)")
            return
        }
        #expect(error.isContentDamage)
        #expect(try scratch.names() == ["bundle"])
    }

    /// A few hundred bytes that become gigabytes: neither are they written, nor does it take long.
    @Test func `what expands out of all proportion is refused before a byte is written`() throws {
        try scratch.write(Zstd.zeros(count: 9000), to: "bundle")
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        guard case .archive(let cause) = error.code, case .expandsTooFar = cause.code else {
            Issue.record("\(error)")
            return
        }
    }

    @Test func `what is inside must be a layout, and not compressed once more`() throws {
        try scratch.write(try Gzip.compress(Array("hello".utf8)), to: "bundle")
        let text = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        guard case .archive(let cause) = text.code, case .notTar = cause.code else {
            Issue.record("\(text)")
            return
        }
        try scratch.write(try Gzip.compress(try Tool.xz.compress(plain())), to: "bundle")
        let twice = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        guard case .archive(let other) = twice.code, case .compressed = other.code else {
            Issue.record("\(twice)")
            return
        }
    }

    @Test func `whoever waits for it can end it`() throws {
        try scratch.write(try Gzip.compress(plain()), to: "bundle")
        var spooling = Spooling()
        spooling.advanced = { throw CancellationError() }
        #expect(throws: CancellationError.self) { try LayoutReader(path: path, spooling: spooling) }
    }

    @Test func `nothing in it can be put right in its place`() throws {
        try scratch.write(try Gzip.compress(plain()), to: "bundle")
        let error = try #require(throws: LayoutError.self) { try LayoutRepair(path: path) }
        #expect(error.code == .notRepairable(reason: "it is compressed"))
    }
}
