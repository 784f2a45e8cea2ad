import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What is on the disk itself when the power is cut, without all that is still only in memory.
@Suite(
    .tags(.interop),
    .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices")
)
struct LayoutPowerCutTests {
    /// With a journal, which brings more to disk than was asked for, and without.
    static let fileSystems = ["ext4", "ext2"]

    @Test(arguments: fileSystems)
    func `before the first checkpoint there is nothing, and nothing is in the way`(kind: String) throws {
        let disk = try Disk(kind)
        let writer = try disk.bundle.begin()
        try disk.powerCut { after in try after.expectFinishes(fetching: after.total) }
        try disk.write(disk.bundle.plan.blobs, writer)
        try disk.powerCut { after in try after.expectFinishes(fetching: after.total) }
        writer.abandon()
        try disk.powerCut { after in try after.expectFinishes(fetching: after.total) }
    }

    @Test(arguments: fileSystems)
    func `what a checkpoint had is there, and nothing that came after`(kind: String) throws {
        let disk = try Disk(kind)
        let (bundle, writer) = (disk.bundle, try disk.bundle.begin())
        let blobs = bundle.plan.blobs
        let large = try #require(blobs.max { $0.descriptor.size < $1.descriptor.size })
        var missing = blobs.reduce(0) { $0 + $1.descriptor.size }
        for blob in blobs where blob != large {
            try disk.write([blob], writer)
            try writer.checkpoint()
            missing -= blob.descriptor.size
            try disk.powerCut { after in try after.expectFinishes(fetching: missing) }
        }
        // Of the last a part, then another, of which nobody knows.
        for end in [70_000, 140_000] {
            try writer.slot(for: large).write(Array(bundle.bytes(of: large)[..<end]), at: 0)
            try writer.slot(for: large).note(prefix: Int64(end))
            if end == 70_000 { try writer.checkpoint() }
        }
        try disk.powerCut { after in try after.expectFinishes(fetching: missing - 70_000) }
        try disk.write([large], writer)
        try disk.powerCut { after in try after.expectFinishes(fetching: missing - 70_000) }
    }

    @Test(arguments: fileSystems)
    func `what two runs had is there, also when the second only opened it`(kind: String) throws {
        let disk = try Disk(kind)
        let bundle = disk.bundle
        let blobs = bundle.plan.blobs
        do {
            let writer = try bundle.begin()
            try disk.write(blobs.prefix(1), writer)
            try writer.checkpoint()
            try disk.write(blobs.dropFirst().prefix(3), writer)
        }
        _ = try bundle.open()
        let missing = blobs.dropFirst(4).reduce(0) { $0 + $1.descriptor.size }
        try disk.powerCut { after in try after.expectFinishes(fetching: missing) }
    }

    @Test(arguments: fileSystems)
    func `while it is sealed there is the partial file or the bundle, whole`(kind: String) throws {
        let disk = try Disk(kind)
        let bundle = disk.bundle
        let writer = try bundle.begin()
        try disk.write(bundle.plan.blobs, writer)
        try disk.powerCut { after in try after.expectFinishes() }
        try writer.checkpoint()
        try disk.powerCut { after in try after.expectFinishes(fetching: 0) }
        #expect(fsync(writer.partial.file.descriptor) == 0)
        #expect(rename(bundle.partialPath, bundle.path) == 0)
        try disk.powerCut { after in try after.expectFinishes(fetching: 0) }
        try writer.partial.syncDirectory()
        try disk.powerCut { after in
            #expect(access(after.path, F_OK) == 0)
            try after.expectFinishes()
        }
    }

    @Test(arguments: fileSystems)
    func `when it is sealed the bundle is there, whole`(kind: String) throws {
        let disk = try Disk(kind)
        try disk.bundle.finish(disk.bundle.begin())
        try disk.powerCut { after in
            #expect(access(after.path, F_OK) == 0)
            try after.expectFinishes()
        }
    }

    @Test(arguments: fileSystems)
    func `while one file takes the place of another there is the one or the other`(kind: String) throws {
        let disk = try Disk(kind)
        let bundle = disk.bundle
        try bundle.kill { writer in
            try disk.write(bundle.plan.blobs.prefix(4), writer)
            try writer.checkpoint()
        }
        let missing = bundle.plan.blobs.dropFirst(4).reduce(0) { $0 + $1.descriptor.size }
        let smaller = NamedImages(Array(bundle.images.images.prefix(2).map { ($0.name, $0.image) }))
        let layout = try #require(try bundle.open())
        _ = try LayoutWriter(plan: smaller.plan, requests: [], insteadOf: layout, replaceExisting: false) { _ in
            try disk.powerCut { after in try after.expectFinishes(fetching: missing) }
        }
        try disk.powerCut { after in
            let layout = try #require(try after.open())
            #expect(try layout.plan == smaller.plan)
            try after.expectDigests(layout)
        }
        // The same by hand, without the syncs.
        let names = [bundle.partialPath, bundle.partialPath + ".refresh"]
        for (old, new) in [(0, 1), (1, 0)] {
            for end in ["", ".journal"] {
                #expect(rename(names[old] + end, names[new] + end) == 0)
                try disk.powerCut { after in
                    if let layout = try after.open() { try after.expectDigests(layout) }
                }
            }
        }
    }

    @Test(arguments: fileSystems)
    func `while blobs are moved none is taken for verified`(kind: String) throws {
        let disk = try Disk(kind)
        let bundle = disk.bundle
        let writer = try bundle.begin()
        try disk.write(bundle.plan.blobs, writer)
        try writer.checkpoint()
        try writer.journal.beginCompaction()
        func expectNothingVerified() throws {
            try disk.powerCut { after in
                let layout = try #require(try after.open())
                #expect(layout.plan.blobs.indices.allSatisfy { layout.journal[$0] != LayoutJournal.verified })
            }
            try disk.powerCut { after in try after.expectFinishes() }
        }
        try expectNothingVerified()
        let smaller = NamedImages(Array(bundle.images.images.dropFirst().map { ($0.name, $0.image) }))
        try writer.compact(to: smaller.plan)
        try expectNothingVerified()
        try writer.checkpoint()
        try expectNothingVerified()
    }
}

/// A bundle on a disk of its own.
private final class Disk {
    let bundle: InterruptedBundle
    // It goes before the directory in which it is.
    private let mount: MountedFileSystem
    private let scratch: ScratchDirectory

    init(_ kind: String) throws {
        scratch = try ScratchDirectory()
        mount = try MountedFileSystem.image(in: scratch, at: "disk", byteCount: 16 << 20, ["mkfs.\(kind)", "-q"])
        // It brings nothing to disk by itself while a test runs.
        if kind == "ext4" { try Command("mount", ["-o", "remount,commit=600", mount.path]).check() }
        bundle = try InterruptedBundle(InterruptedBundle.images(), in: mount.path)
    }

    func write(_ blobs: some Sequence<LayoutPlan.Blob>, _ writer: LayoutWriter) throws {
        for blob in blobs {
            try writer.slot(for: blob).write(bundle.bytes(of: blob), at: 0)
            try writer.slot(for: blob).noteVerified()
        }
    }

    /// Looks at what would be there if the power failed now, in another boot.
    func powerCut(_ body: (InterruptedBundle) throws -> Void) throws {
        let copied = try MountedFileSystem.copy(ofImage: scratch.path("disk.image"), in: scratch)
        let after = try InterruptedBundle(bundle.images, in: copied.path)
        for path in [after.partialPath, after.partialPath + ".refresh"]
        where access(path, F_OK) == 0 && access(path + ".journal", F_OK) == 0 {
            var pair = try SavedPair(path)
            try pair.reboot()
            try pair.write(to: path)
        }
        try body(after)
    }
}

extension InterruptedBundle {
    fileprivate var total: Int64 { plan.blobs.reduce(0) { $0 + $1.descriptor.size } }

    /// Expects that the blobs that are taken for verified are what they ought to be.
    fileprivate func expectDigests(_ layout: InterruptedLayout) throws {
        for (index, blob) in layout.plan.blobs.enumerated() where layout.journal[index] == LayoutJournal.verified {
            let range = blob.offset..<(blob.offset + blob.descriptor.size)
            let algorithm = blob.descriptor.digest.algorithm
            let bytes = try layout.partial.file.bytes(in: range)
            #expect(try Digest.of(bytes, algorithm: algorithm) == blob.descriptor.digest)
        }
    }

    /// Expects the bundle, or what leads to it.
    fileprivate func expectFinishes(fetching missing: Int64? = nil, _ location: SourceLocation = #_sourceLocation)
        throws
    {
        if access(path, F_OK) == 0 {
            #expect(throws: LayoutError.self) { try LayoutWriter.checkOutput(path, replacesExisting: false) }
        } else {
            let fetched = try finish(resume())
            if let missing { #expect(fetched == missing, sourceLocation: location) }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole, sourceLocation: location)
        #expect(try names().filter { $0 != "lost+found" } == ["bundle.tar"], sourceLocation: location)
    }
}
