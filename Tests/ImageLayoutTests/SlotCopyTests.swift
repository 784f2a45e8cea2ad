import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Blobs that are taken from another bundle.
@Suite struct SlotCopyTests {
    let scratch: ScratchDirectory
    let bundle: InterruptedBundle

    init() throws {
        scratch = try ScratchDirectory()
        bundle = try InterruptedBundle(InterruptedBundle.images(largest: (32 << 20) + 1), in: scratch.path)
    }

    private var largest: LayoutPlan.Blob {
        get throws { try #require(bundle.plan.blobs.max { $0.descriptor.size < $1.descriptor.size }) }
    }

    /// Takes everything from a bundle, and compares.
    private func check(from source: String, into bundle: InterruptedBundle) throws {
        let (writer, reader) = (try bundle.begin(), try LayoutReader(path: source))
        for blob in bundle.plan.blobs {
            var pieces: [Int64] = []
            #expect(try writer.slot(for: blob).copy(from: reader) { pieces.append($0) })
            #expect(pieces.reduce(0, +) == blob.descriptor.size)
            #expect(pieces.allSatisfy { $0 <= 16 << 20 })
            #expect(writer.slot(for: blob).isVerified)
        }
        #expect(try bundle.finish(writer) == 0)
        unlink(source)
        try bundle.expectFinished()
    }

    @Test func `what another bundle has is the same afterwards`() throws {
        try bundle.images.write(to: scratch.path("source.tar"))
        try check(from: scratch.path("source.tar"), into: bundle)
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"))
    func `it is the same from one file system to another`() throws {
        let memory = try ScratchDirectory()
        let mount = try MountedFileSystem(at: memory.path, ["-t", "tmpfs", "-o", "size=400m", "none"])
        try bundle.images.write(to: mount.path + "/source.tar")
        try check(from: mount.path + "/source.tar", into: bundle)
        let disk = try ScratchDirectory()
        let image = try MountedFileSystem.image(in: disk, at: "disk", byteCount: 400 << 20, ["mkfs.ext3", "-q"])
        try bundle.images.write(to: image.path + "/source.tar")
        let target = try InterruptedBundle(bundle.images, in: scratch.path)
        try check(from: image.path + "/source.tar", into: target)
    }

    @Test func `a blob that is damaged there is not taken, and nothing of it is kept`() throws {
        let blob = try largest
        let source = scratch.path("source.tar")
        try bundle.images.write(to: source)
        for offset in [0, blob.descriptor.size / 2, blob.descriptor.size - 1] {
            let handle = try #require(FileHandle(forUpdatingAtPath: source))
            let old = try bytes(of: source, in: (blob.offset + offset)..<(blob.offset + offset + 1))
            try handle.seek(toOffset: UInt64(blob.offset + offset))
            try handle.write(contentsOf: [old[0] ^ 1])
            let (writer, reader) = (try bundle.begin(), try LayoutReader(path: source))
            let slot = writer.slot(for: blob)
            try slot.note(prefix: 100_000)
            #expect(try !slot.copy(from: reader) { _ in })
            #expect(!slot.isVerified && slot.prefixCount == 0)
            try handle.seek(toOffset: UInt64(blob.offset + offset))
            try handle.write(contentsOf: old)
            #expect(try slot.copy(from: reader) { _ in } && slot.isVerified)
            writer.abandon()
        }
    }

    @Test func `a blob that is missing there, or has another size, is not read`() throws {
        let blob = try largest
        let bytes = try bundle.bytes(of: blob)
        for (name, files) in [
            ("none.tar", []), ("other.tar", [(blobPath(blob.descriptor.digest), Array(bytes.dropLast()))]),
        ] {
            let images = NamedImages([("r.example/small:1", bundle.images.images[2].image)])
            let source = try scratch.write(handmadeBundle(try layoutFiles(images) + files), to: name)
            let (writer, reader) = (try bundle.begin(), try LayoutReader(path: source))
            let slot = writer.slot(for: blob)
            try slot.note(prefix: 1000)
            #expect(try !slot.copy(from: reader) { _ in Issue.record("it was read") })
            #expect(slot.prefixCount == 1000)
            writer.abandon()
        }
    }

    @Test func `what hears of the pieces may end the work, and the blob is none of ours then`() throws {
        struct Stop: Error {}
        try bundle.images.write(to: scratch.path("source.tar"))
        let (writer, reader) = (try bundle.begin(), try LayoutReader(path: scratch.path("source.tar")))
        let slot = writer.slot(for: try largest)
        var count = 0
        #expect(throws: Stop.self) {
            try slot.copy(from: reader) { _ in
                count += 1
                if count == 2 { throw Stop() }
            }
        }
        #expect(count == 2 && !slot.isVerified)
        writer.abandon()
    }

    @Test(arguments: [1000, (16 << 20) + 1000, 32 << 20])
    func `a bundle that becomes shorter meanwhile is an error that names it`(present: Int64) throws {
        let (blob, source) = (try largest, scratch.path("source.tar"))
        try bundle.images.write(to: source)
        let (writer, reader) = (try bundle.begin(), try LayoutReader(path: source))
        #expect(truncate(source, Int(blob.offset + present)) == 0)
        let error = try #require(throws: LayoutError.self) { try writer.slot(for: blob).copy(from: reader) { _ in } }
        #expect(error.code == .endsEarly(at: blob.offset + present))
        #expect(error.path == source)
        #expect(!writer.slot(for: blob).isVerified)
        writer.abandon()
    }
}
