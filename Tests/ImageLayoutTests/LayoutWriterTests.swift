import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct LayoutWriterTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private var path: String { scratch.path("bundle.tar") }

    /// Two images, one for several platforms, with layers of odd sizes and one that is shared.
    private func images(seed: UInt64 = 1) throws -> NamedImages {
        var builder = ImageBuilder(seed: seed)
        let shared = try builder.opaqueLayer(byteCount: 70_001)
        let empty = try TestBlob(bytes: [], mediaType: shared.descriptor.mediaType)
        return try NamedImages([
            ("docker.io/library/alpine:3.20", builder.multiPlatform(sharing: [shared])),
            ("r.example/app:1", builder.image(layers: [shared, builder.opaqueLayer(byteCount: 512), empty])),
        ])
    }

    @Test(.tags(.interop), arguments: [Digest.Algorithm.sha256, .sha512])
    func `the file is the one that libarchive writes in one go, byte for byte`(algorithm: Digest.Algorithm) throws {
        var images = try images()
        var builder = ImageBuilder(seed: 12, algorithm: algorithm)
        images.images.append(("r.example/other:1", try builder.image()))
        try images.write(to: path)
        let plan = try images.plan
        let content = try images.allBytes
        let files =
            plan.known.map { ($0.path, $0.bytes) }
            + plan.blobs.map { (blobPath($0.descriptor.digest), content[$0.descriptor.digest] ?? []) }
        // A description of what to pack, in libarchive's own form, so that nothing of the files on disk gets in.
        var list = "#mtree\n"
        for (index, file) in files.enumerated() {
            let source = try scratch.write(file.1, to: "content/\(index)")
            list += "\(file.0) type=file uid=0 gid=0 mode=0644 time=0.0 contents=\(source)\n"
        }
        let description = try scratch.write(list, to: "list")
        try Command("bsdtar", ["-b", "1", "-cf", scratch.path("expected.tar"), "@\(description)"]).check()
        #expect(try scratch.read("bundle.tar") == scratch.read("expected.tar"))
    }

    @Test(.tags(.interop), arguments: ["bsdtar", "tar"])
    func `tar programs list every entry`(tool: String) throws {
        let images = try images()
        try images.write(to: path)
        let plan = try images.plan
        let lines = try Command(tool, ["-tf", path]).check().outputText.split(separator: "\n").map(String.init)
        #expect(lines == plan.known.map(\.path) + plan.blobs.map { blobPath($0.descriptor.digest) })
        let details = try Command(tool, ["--numeric-owner", "-tvf", path]).check().outputText.split(separator: "\n")
        #expect(details.allSatisfy { $0.hasPrefix("-rw-r--r--") })
    }

    @Test func `blobs are written in any order by many threads at once`() throws {
        let images = try images(seed: 3)
        let plan = try images.plan
        let content = try images.allBytes
        try images.write(to: scratch.path("expected.tar"))
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        var pieces: [(slot: LayoutSlot, bytes: [UInt8], offset: Int64)] = []
        for blob in plan.blobs {
            let bytes = try #require(content[blob.descriptor.digest])
            for start in stride(from: 0, to: bytes.count, by: 997) {
                pieces.append((writer.slot(for: blob), Array(bytes[start...].prefix(997)), Int64(start)))
            }
        }
        var generator = SplitMix64(seed: 5)
        pieces.shuffle(using: &generator)
        let shuffled = pieces
        DispatchQueue.concurrentPerform(iterations: shuffled.count) { index in
            #expect(throws: Never.self) {
                try shuffled[index].slot.write(shuffled[index].bytes, at: shuffled[index].offset)
            }
        }
        try writer.seal()
        #expect(try scratch.read("bundle.tar") == scratch.read("expected.tar"))
    }

    @Test func `a blob cannot be written beyond its place`() throws {
        let plan = try images().plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        let blob = try #require(plan.blobs.first { $0.descriptor.size == 512 })
        let slot = writer.slot(for: blob)
        for (count, offset) in [(513, 0), (1, 512), (1, -1), (1, Int64.max), (512, 1)] as [(Int, Int64)] {
            let error = try #require(throws: LayoutError.self) {
                try slot.write([UInt8](repeating: 1, count: count), at: offset)
            }
            #expect(error.code == .beyondBlob(blob.descriptor.digest, byteCount: 512))
        }
        #expect(throws: Never.self) { try slot.write([], at: 512) }
        #expect(slot.descriptor == blob.descriptor)
    }

    // MARK: - The name

    @Test func `a bundle appears under its name only when it is sealed`() throws {
        let images = try images()
        let plan = try images.plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        try images.fill(writer, plan)
        #expect(try scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
        try writer.seal()
        #expect(try scratch.names() == ["bundle.tar"])
        // After the end it has nothing to remove.
        writer.abandon()
        #expect(try scratch.names() == ["bundle.tar"])
        #expect(try LayoutReader(path: path).problems.isEmpty)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o644)
    }

    @Test func `an abandoned bundle leaves nothing behind`() throws {
        let writer = try LayoutWriter(plan: images().plan, path: path, replaceExisting: false)
        writer.abandon()
        #expect(try scratch.names().isEmpty)
    }

    @Test func `an output that exists is refused and left as it is`() throws {
        try scratch.write("mine", to: "bundle.tar")
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter(plan: images().plan, path: path, replaceExisting: false)
        }
        #expect(error.code == .outputExists)
        #expect(error.path == path)
        #expect(try scratch.names() == ["bundle.tar"])
        #expect(try scratch.read("bundle.tar") == Array("mine".utf8))
    }

    @Test func `an output is replaced on request, in the moment of sealing`() throws {
        try scratch.write("old", to: "bundle.tar")
        let images = try images()
        let plan = try images.plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: true)
        try images.fill(writer, plan)
        #expect(try scratch.read("bundle.tar") == Array("old".utf8))
        try writer.seal()
        #expect(try scratch.names() == ["bundle.tar"])
        #expect(try LayoutReader(path: path).images.count == 2)
    }

    @Test func `an output that appears meanwhile is not overwritten`() throws {
        let images = try images()
        let plan = try images.plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        try images.fill(writer, plan)
        try scratch.write("theirs", to: "bundle.tar")
        let error = try #require(throws: LayoutError.self) { try writer.seal() }
        #expect(error.code == .outputExists)
        #expect(try scratch.read("bundle.tar") == Array("theirs".utf8))
        writer.abandon()
        #expect(try scratch.names() == ["bundle.tar"])
    }

    @Test(arguments: [("directory", "a directory"), ("link", "a symbolic link"), ("pipe", "a pipe")])
    func `an output that is no file is refused`(name: String, kind: String) throws {
        try scratch.write("x", to: "file")
        try FileManager.default.createDirectory(atPath: scratch.path("directory"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: scratch.path("link"), withDestinationPath: "file")
        #expect(mkfifo(scratch.path("pipe"), 0o600) == 0)
        for isReplaced in [false, true] {
            let error = try #require(throws: LayoutError.self) {
                try LayoutWriter.checkOutput(scratch.path(name), replacesExisting: isReplaced)
            }
            #expect(error.code == .notRegularFile(kind: kind))
        }
    }

    @Test(arguments: [("missing/bundle.tar", ENOENT), ("file/bundle.tar", ENOTDIR)])
    func `an output that cannot be created is an error with the system's reason`(name: String, reason: Int32) throws {
        try scratch.write("x", to: "file")
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter(plan: images().plan, path: scratch.path(name), replaceExisting: false)
        }
        guard case .system(_, let errno) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(errno == reason)
        #expect(error.path?.hasPrefix(scratch.path(name)) == true)
        #expect(try scratch.names() == ["file"])
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func `a directory that may not be written to is an error`() throws {
        #expect(chmod(scratch.path, 0o555) == 0)
        defer { chmod(scratch.path, 0o755) }
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter(plan: images().plan, path: path, replaceExisting: false)
        }
        #expect(error.code == .system(operation: "creating it", errno: EACCES))
    }
}
