import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct SpaceTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// An image with one layer of that many bytes, of which there is only a descriptor.
    private func plan(byteCount: Int64) throws -> LayoutPlan {
        var builder = ImageBuilder(seed: 1)
        return try NamedImages([("r.example/a:1", builder.image(layers: [giantLayer(byteCount: byteCount)]))]).plan
    }

    private func failure(_ plan: LayoutPlan, in directory: String, on file: String? = nil) throws -> LayoutError {
        let before = try FileManager.default.contentsOfDirectory(atPath: directory)
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter(plan: plan, path: directory + "/bundle.tar", replaceExisting: false)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == before)
        #expect(error.path == directory + "/" + (file ?? "bundle.tar.partial"))
        return error
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
    func `too little space is found before anything is written`() throws {
        let mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=1m", "none"])
        let plan = try plan(byteCount: 2 << 20)
        let error = try failure(plan, in: mount.path)
        // The journal has taken a page.
        #expect(error.code == .noSpace(needed: plan.byteCount, available: (1 << 20) - 4096))
        #expect(error.description.hasSuffix("no space left: it takes 2.10 MB, the file system has 1.04 MB"))
        #expect(mount.usedByteCount(settlingAt: 0) == 0)
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
    func `a file system that may only be read is an error with its reason`() throws {
        let mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "ro", "none"])
        let error = try failure(plan(byteCount: 1), in: mount.path, on: "bundle.tar")
        #expect(error.code == .system(operation: "its directory \(mount.path)", errno: EROFS))
        #expect(error.description.hasSuffix(": its directory \(mount.path): read-only file system"))
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"))
    func `without fallocate free space is compared and nothing is filled with zeros`() throws {
        let mount = try MountedFileSystem.image(in: scratch, at: "mounted", byteCount: 32 << 20, ["mkfs.ext3", "-q"])
        let large = try plan(byteCount: 64 << 20)
        guard case .noSpace(large.byteCount, let available) = try failure(large, in: mount.path).code else {
            Issue.record("space was not compared")
            return
        }
        #expect((1 << 20)..<(32 << 20) ~= available)

        let path = mount.path + "/bundle.tar"
        var builder = ImageBuilder(seed: 2)
        let images = try NamedImages([
            ("r.example/a:1", builder.image(layers: [builder.opaqueLayer(byteCount: 8 << 20)]))
        ])
        let plan = try images.plan
        let before = mount.usedByteCount
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        // Headers and documents, and what the file system needs to find them.
        #expect(mount.usedByteCount - before < 100 << 10)
        try images.fill(writer, plan)
        try writer.seal()
        let reader = try LayoutReader(path: path)
        for blob in reader.blobs { try reader.verify(blob) }
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"))
    func `space that somebody else takes meanwhile is an error of the write`() throws {
        let mount = try MountedFileSystem.image(
            in: scratch,
            at: "mounted",
            byteCount: 16 << 20,
            ["mkfs.ext3", "-q", "-O", "^has_journal"]
        )
        let path = mount.path + "/bundle.tar"
        let plan = try plan(byteCount: 8 << 20)
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        defer { writer.abandon() }
        let hog = [UInt8](repeating: 1, count: 10 << 20)
        #expect(FileManager.default.createFile(atPath: mount.path + "/hog", contents: Data(hog)))
        let slot = writer.slot(for: try #require(plan.blobs.last))
        let error = try #require(throws: LayoutError.self) { try slot.write(Array(hog.prefix(8 << 20)), at: 0) }
        #expect(error.code == .system(operation: "writing", errno: ENOSPC))
        #expect(error.description == "writing \(path).partial: no space left on device")
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"))
    func `a file system that cannot hold so large a file is an error`() throws {
        // With blocks of 1 KiB a file of ext2 ends at 16 GiB.
        let make = ["mkfs.ext2", "-q", "-b", "1024", "-N", "16", "-O", "uninit_bg"]
        let mount = try MountedFileSystem.image(in: scratch, at: "mounted", byteCount: 24 << 30, make)
        let plan = try plan(byteCount: 18 << 30)
        let error = try failure(plan, in: mount.path)
        #expect(error.code == .fileTooLarge(needed: plan.byteCount, limit: nil))
        #expect(error.description.hasSuffix("19.3 GB, which is more than a file can have on this file system"))
    }

    @Test func `the limit of the process is found without a signal`() throws {
        var limit = rlimit()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
        // So large that no other test of this process comes near.
        var lowered = rlimit(rlim_cur: 1 << 40, rlim_max: limit.rlim_max)
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &lowered) == 0)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) }
        let plan = try plan(byteCount: 2 << 40)
        let error = try failure(plan, in: scratch.path)
        #expect(error.code == .fileTooLarge(needed: plan.byteCount, limit: 1 << 40))
        #expect(error.description.hasSuffix("may write files of at most 1.10 TB; raise the limit with ulimit -f"))
    }

    static let hasSpace: Bool = {
        var status = statvfs()
        guard let scratch = try? ScratchDirectory(), statvfs(scratch.path, &status) == 0 else { return false }
        return status.f_bavail * status.f_frsize > 10 << 30
    }()

    @Test(.tags(.interop), .enabled(if: hasSpace, "10 GiB of free space are needed"))
    func `a layer beyond 8 GiB has its place, and others read it`() throws {
        var builder = ImageBuilder(seed: 3)
        let giant = try giantLayer(byteCount: 9 << 30)
        let images = try NamedImages([("r.example/a:1", builder.image(layers: [giant, builder.layer()]))])
        let plan = try images.plan
        let path = scratch.path("bundle.tar")
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        let blob = try #require(plan.blobs.first { $0.descriptor.digest == giant.digest })
        #expect(blob.offset - blob.headerOffset == 1536)
        try writer.slot(for: blob).write(Array("end".utf8), at: giant.descriptor.size - 3)
        try writer.seal()
        let reader = try LayoutReader(path: path)
        #expect(reader.problems.isEmpty)
        #expect(reader.range(of: giant.digest) == blob.offset..<(blob.offset + 9 << 30))
        #expect(reader.byteCount == plan.byteCount)
        for tool in ["bsdtar", "tar"] {
            let lines = try Command(tool, ["-tvf", path]).check().outputText.split(separator: "\n")
            #expect(lines.count == plan.known.count + plan.blobs.count)
            #expect(lines.contains { $0.contains("\(9 << 30)") && $0.hasSuffix(blobPath(giant.digest)) })
        }
    }
}
