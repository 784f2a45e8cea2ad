import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What is on the disk itself in the moment in which a call returns, without all that is still only in memory.
@Suite(
    .tags(.interop),
    .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices")
)
struct PowerCutTests {
    /// With a journal, which brings more to disk than was asked for, and without.
    static let fileSystems = ["ext4", "ext2"]

    @Test(arguments: fileSystems)
    func `a blob is there when its commit returns, the first and the next`(kind: String) throws {
        let disk = try Disk(kind)
        for seed in 0..<2 as Range<UInt64> {
            let (bytes, digest) = try content(100_000, seed: seed)
            try disk.registry.add(bytes, repository)
            #expect(try disk.powerCut().blob(digest, in: repository)?.bytes == bytes)
        }
    }

    @Test(arguments: fileSystems)
    func `a blob that others have as well is there`(kind: String) throws {
        let disk = try Disk(kind)
        let (bytes, digest) = try content(100_000)
        try disk.registry.add(bytes, repository)
        try disk.registry.add(bytes, path("other"))
        #expect(try disk.powerCut().hasBlob(digest, in: path("other")))
        #expect(try disk.registry.directory.mountBlob(digest, from: nil, into: path("third/one")))
        #expect(try disk.powerCut().blob(digest, in: path("third/one"))?.bytes == bytes)
    }

    @Test(arguments: fileSystems)
    func `a manifest and its tag are there, and a moved tag`(kind: String) throws {
        let disk = try Disk(kind)
        for number in 0..<2 as Range<UInt8> {
            let digest = try Digest.of([number])
            let missing = try disk.registry.directory.putManifest(
                [number],
                digest: digest,
                tags: [tag("a")],
                needing: [],
                in: repository
            )
            #expect(missing == [])
            let after = try disk.powerCut()
            #expect(try after.digest(of: tag("a"), in: repository) == digest)
            #expect(try after.manifest(digest, in: repository) == [number])
            #expect(try after.repositories() == [repository])
        }
    }

    @Test(arguments: fileSystems)
    func `what was removed stays removed`(kind: String) throws {
        let disk = try Disk(kind)
        let (bytes, blob) = try content(1000)
        try disk.registry.add(bytes, repository)
        let digest = try Digest.of([1])
        for name in ["a", "b"] {
            #expect(
                try disk.registry.directory.putManifest(
                    [1],
                    digest: digest,
                    tags: [tag(name)],
                    needing: [],
                    in: repository
                ) == []
            )
        }
        #expect(try disk.registry.directory.deleteTag(tag("a"), in: repository))
        #expect(try disk.powerCut().tags(in: repository) == [tag("b")])
        #expect(try disk.registry.directory.deleteManifest(digest, in: repository))
        let after = try disk.powerCut()
        #expect(try after.tags(in: repository) == [])
        #expect(try after.manifests(in: repository) == [])
        #expect(try disk.registry.directory.deleteBlob(blob, in: repository))
        #expect(try !disk.powerCut().hasBlob(blob, in: repository))
    }

    @Test(arguments: fileSystems)
    func `what a removal goes by is on the disk before what it needs goes`(kind: String) throws {
        let disk = try Disk(kind)
        let pruned = try PrunedRegistry(disk.registry.root)
        let directory = disk.registry.directory
        try directory.tree.syncFileSystem(of: disk.registry.root)
        let removal = pruned.removal(from: try directory.survey())
        /// How many tags, manifests and layers are left of those that go, and how many blobs.
        func left(_ directory: RegistryDirectory) throws -> [Int] {
            let survey = try directory.survey()
            var counts = [0, 0, 0, removal.blobs.filter { survey.blobs[$0] != nil }.count]
            for loss in removal.repositories {
                guard let found = survey.repositories.first(where: { $0.path == loss.path }) else { continue }
                counts[0] += loss.tags.filter { found.tags[$0] != nil }.count
                counts[1] += found.manifests.union(found.danglingManifests).intersection(loss.manifests).count
                counts[2] += found.layers.intersection(loss.layers).count
            }
            return counts
        }
        let all = try left(directory)
        var seen: Set<Int> = []
        let outcome = try directory.remove(removal) {
            do {
                let now = try left(directory)
                // The first moment in which something of a part has gone.
                guard let part = now.indices.last(where: { now[$0] < all[$0] }), seen.insert(part).inserted else {
                    return false
                }
                let after = try disk.powerCut()
                #expect(try left(after).prefix(part).allSatisfy { $0 == 0 }, "part \(part)")
                try pruned.expectWhole(RegistryStorage(root: after.path), "part \(part)")
            } catch {
                Issue.record(error)
            }
            return false
        }
        #expect(outcome.failures.isEmpty && seen == [0, 1, 2, 3])
        let after = try disk.powerCut()
        #expect(try left(after) == [0, 0, 0, 0])
        #expect(try after.repositories() == [path("team/app"), path("team/lists")])
    }

    @Test(arguments: fileSystems)
    func `what was not acknowledged is not there in part`(kind: String) throws {
        let disk = try Disk(kind)
        let (bytes, digest) = try content(100_000)
        let upload = try disk.registry.directory.openUpload(in: repository, algorithm: .sha256)
        try upload.append(bytes, claim: upload.claim())
        let after = try disk.powerCut()
        #expect(try !after.hasBlob(digest, in: repository))
        #expect(try after.repositories() == [])
    }
}

/// A registry on a disk of its own.
private final class Disk {
    let registry: Registry
    private let scratch: ScratchDirectory
    private let mount: MountedFileSystem

    init(_ kind: String) throws {
        scratch = try ScratchDirectory()
        mount = try MountedFileSystem.image(in: scratch, at: "disk", byteCount: 16 << 20, ["mkfs.\(kind)", "-q"])
        // It brings nothing to disk by itself while a test runs.
        if kind == "ext4" { try Command("mount", ["-o", "remount,commit=600", mount.path]).check() }
        registry = try Registry(mount.path)
    }

    /// What would be there if the power failed now.
    func powerCut() throws -> RegistryDirectory {
        let copy = scratch.path("copy.image")
        try Command("cp", ["--sparse=always", scratch.path("disk.image"), copy]).check()
        let place = try ScratchDirectory()
        let copied = try MountedFileSystem(at: place.path, ["-o", "loop", copy])
        // A journal is replayed by now; the rest is read from a copy that needs no mount.
        let root = scratch.path("after-\(UInt64.random(in: 0 ... .max))")
        try Command("cp", ["-a", copied.path, root]).check()
        return try RegistryDirectory(path: root, access: .readOnly)
    }
}
