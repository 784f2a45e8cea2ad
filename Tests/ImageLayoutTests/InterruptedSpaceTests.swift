import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Disks that are full, or that fail, while a bundle is filled.
@Suite(.tags(.interop), .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"))
struct InterruptedSpaceTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let pairNames = ["bundle.tar.partial", "bundle.tar.partial.journal"]

    /// A bundle of a few MB, in a file system.
    private func bundle(in mount: MountedFileSystem) throws -> InterruptedBundle {
        try InterruptedBundle(InterruptedBundle.images(largest: 2_000_001), in: mount.path)
    }

    /// Writes some blobs.
    private func write(_ blobs: some Sequence<LayoutPlan.Blob>, of bundle: InterruptedBundle, _ writer: LayoutWriter)
        throws
    {
        for blob in blobs {
            try writer.slot(for: blob).write(bundle.bytes(of: blob), at: 0)
            try writer.slot(for: blob).noteVerified()
        }
    }

    private func memory() throws -> MountedFileSystem {
        try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=8m", "none"])
    }

    /// Without fallocate.
    private func disk() throws -> MountedFileSystem {
        let make = ["mkfs.ext3", "-q", "-O", "^has_journal", "-m", "0"]
        return try MountedFileSystem.image(in: scratch, at: "disk", byteCount: 16 << 20, make)
    }

    /// The files, without what takes the space.
    private func names(_ bundle: InterruptedBundle) throws -> [String] {
        try bundle.names().filter { !["hog", "lost+found"].contains($0) }
    }

    @Test func `what has been reserved is not asked for again`() throws {
        let mount = try memory()
        let bundle = try bundle(in: mount)
        try bundle.kill { try write(bundle.plan.blobs.prefix(2), of: bundle, $0) }
        try mount.fill(leaving: 0)
        try bundle.finish(bundle.resume())
        unlink(mount.hog)
        try bundle.expectFinished()
    }

    @Test func `without reservation only what is missing is asked for`() throws {
        let mount = try disk()
        let bundle = try bundle(in: mount)
        let half = bundle.plan.blobs.sorted { $0.descriptor.size > $1.descriptor.size }.prefix(1)
        try bundle.kill {
            try write(half, of: bundle, $0)
            try $0.checkpoint()
        }
        let missing = bundle.plan.byteCount - 2_000_001
        try mount.fill(leaving: missing / 2)
        let saved = try bundle.saved()
        let error = try #require(throws: LayoutError.self) { try bundle.resume() }
        guard case .noSpace(let needed, let available) = error.code else {
            Issue.record(error)
            return
        }
        // Whole blocks, and those by which the file system finds them.
        #expect((missing - 100_000)...(missing + 100_000) ~= needed && available < needed)
        #expect(error.path == bundle.partialPath)
        #expect(try names(bundle) == Self.pairNames)
        #expect(try bundle.saved() == saved)
        unlink(mount.hog)
        try mount.fill(leaving: missing + 200_000)
        #expect(try bundle.finish(bundle.resume()) == bundle.plan.blobs.reduce(-2_000_001) { $0 + $1.descriptor.size })
        #expect(try names(bundle) == ["bundle.tar"])
        #expect(try Data(contentsOf: URL(fileURLWithPath: bundle.path)) == bundle.whole)
    }

    @Test func `a disk that is full in the middle keeps what there is, and when there is space it is finished`() throws
    {
        let mount = try disk()
        let bundle = try bundle(in: mount)
        let blobs = bundle.plan.blobs.sorted { $0.descriptor.size < $1.descriptor.size }
        var states: InterruptedBundle.States = [:]
        do {
            let writer = try bundle.begin()
            try write(blobs.prefix(3), of: bundle, writer)
            try mount.fill(leaving: 1_000_000)
            let error = try #require(throws: LayoutError.self) { try write(blobs.suffix(1), of: bundle, writer) }
            #expect(error.code == .system(operation: "writing", errno: ENOSPC))
            #expect(writer.keep())
            states = bundle.states(of: writer)
        }
        #expect(try names(bundle) == Self.pairNames)
        unlink(mount.hog)
        let writer = try bundle.resume()
        #expect(bundle.states(of: writer) == states)
        // One of the three has no bytes.
        #expect(states.filter { $0.value == LayoutJournal.verified }.count == 3)
        try bundle.finish(writer)
        #expect(try Data(contentsOf: URL(fileURLWithPath: bundle.path)) == bundle.whole)
    }

    @Test func `a refresh for which there is no space leaves the old file`() throws {
        let mount = try memory()
        let old = try bundle(in: mount)
        let new = try InterruptedBundle(
            NamedImages(Array(old.images.images.prefix(2).map { ($0.name, $0.image) })),
            in: mount.path
        )
        try old.kill {
            try write(old.plan.blobs, of: old, $0)
            try $0.checkpoint()
        }
        let saved = try old.saved()
        try mount.fill(leaving: 1 << 20)
        do {
            let layout = try #require(try old.open())
            let error = try #require(throws: LayoutError.self) {
                try LayoutWriter(plan: new.plan, requests: [], insteadOf: layout, replaceExisting: false)
            }
            guard case .noSpace(new.plan.byteCount, _) = error.code else {
                Issue.record(error)
                return
            }
            #expect(error.path == old.partialPath + ".refresh")
        }
        #expect(try old.saved() == saved)
        unlink(mount.hog)
        #expect(try old.finish(old.resume()) == 0)
        try old.expectFinished()
    }

    @Test func `what a disk could not keep is not taken for synced, then or later`() throws {
        // The disk takes what is written, and finds no place for it afterwards.
        let backing = try memory()
        let image = backing.path + "/image"
        try Command("truncate", ["-s", "32M", image]).check()
        // Its own records have their place from the beginning, so that these at least are kept.
        try Command("mkfs.ext4", ["-q", "-m", "0", "-O", "^has_journal", image]).check()
        let place = try ScratchDirectory()
        let disk = try MountedFileSystem(at: place.path, ["-o", "loop,errors=continue", image])
        let bundle = try bundle(in: disk)
        let blobs = bundle.plan.blobs.sorted { $0.descriptor.size < $1.descriptor.size }
        try bundle.kill { writer in
            try write(blobs.prefix(3), of: bundle, writer)
            try writer.checkpoint()
            try backing.fill(leaving: 0)
            try write(blobs.dropFirst(3), of: bundle, writer)
            let failure = try #require(throws: LayoutError.self) { try writer.checkpoint() }
            guard case .system("syncing it", _) = failure.code else {
                Issue.record(failure)
                return
            }
            // The system forgets it.
            #expect((0..<10).contains { _ in fdatasync(writer.partial.file.descriptor) == 0 })
            #expect(throws: failure) { try writer.checkpoint() }
            #expect(throws: failure) { try writer.seal() }
            #expect(writer.keep())
        }
        #expect(try names(bundle) == Self.pairNames)
        unlink(backing.hog)
        let synced = Dictionary(
            uniqueKeysWithValues: blobs.prefix(3).map { ($0.descriptor.digest, LayoutJournal.verified) }
        )
        do {
            // It could still be read, but not after that.
            let writer = try bundle.resume()
            #expect(bundle.states(of: writer) == synced)
            try bundle.finish(writer)
        }
        let other = try ScratchDirectory()
        let after = try MountedFileSystem.copy(ofImage: image, in: other)
        #expect(try Data(contentsOf: URL(fileURLWithPath: after.path + "/bundle.tar")) == bundle.whole)
    }
}
