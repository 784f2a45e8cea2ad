import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What is on the disk itself in the moment in which a call returns, without all that is still only in memory.
@Suite(
    .tags(.interop),
    .enabled(if: MountedFileSystem.isPossibleOfImages, "mounting needs root and loop devices"),
    .serialized
)
struct PowerCutTests {
    let scratch: ScratchDirectory
    let mount: MountedFileSystem
    let registry: Registry

    init() throws {
        scratch = try ScratchDirectory()
        // It brings nothing to disk by itself while a test runs.
        mount = try MountedFileSystem.image(in: scratch, at: "disk", byteCount: 16 << 20, ["mkfs.ext4", "-q"])
        try Command("mount", ["-o", "remount,commit=600", mount.path]).check()
        registry = try Registry(mount.path)
    }

    private var directory: RegistryDirectory { registry.directory }

    /// What would be there if the power failed now.
    private func powerCut() throws -> RegistryDirectory {
        let copy = scratch.path("copy.image")
        try Command("cp", ["--sparse=always", scratch.path("disk.image"), copy]).check()
        let place = try ScratchDirectory()
        let copied = try MountedFileSystem(at: place.path, ["-o", "loop", copy])
        // Its journal is replayed by now, and the rest is read from a copy that needs no mount.
        let root = scratch.path("after-\(UInt64.random(in: 0 ... .max))")
        try Command("cp", ["-a", copied.path, root]).check()
        return try RegistryDirectory(path: root, access: .readOnly)
    }

    @Test func `a blob is there when its commit returns, the first and the next`() throws {
        for seed in 0..<2 as Range<UInt64> {
            let (bytes, digest) = try content(100_000, seed: seed)
            try registry.add(bytes, repository)
            #expect(try powerCut().blob(digest, in: repository)?.bytes == bytes)
        }
    }

    @Test func `a blob that others have as well is there`() throws {
        let (bytes, digest) = try content(100_000)
        try registry.add(bytes, repository)
        try registry.add(bytes, path("other"))
        #expect(try powerCut().hasBlob(digest, in: path("other")))
        #expect(try directory.mountBlob(digest, from: nil, into: path("third/one")))
        #expect(try powerCut().blob(digest, in: path("third/one"))?.bytes == bytes)
    }

    @Test func `a manifest and its tag are there, and a moved tag`() throws {
        for number in 0..<2 as Range<UInt8> {
            let digest = try Digest.of([number])
            let missing = try directory.putManifest(
                [number],
                digest: digest,
                tag: tag("a"),
                needing: [],
                in: repository
            )
            #expect(missing == [])
            let after = try powerCut()
            #expect(try after.digest(of: tag("a"), in: repository) == digest)
            #expect(try after.manifest(digest, in: repository) == [number])
            #expect(try after.repositories() == [repository])
        }
    }

    @Test func `what was removed stays removed`() throws {
        let (bytes, blob) = try content(1000)
        try registry.add(bytes, repository)
        let digest = try Digest.of([1])
        for name in ["a", "b"] {
            #expect(try directory.putManifest([1], digest: digest, tag: tag(name), needing: [], in: repository) == [])
        }
        #expect(try directory.deleteTag(tag("a"), in: repository))
        #expect(try powerCut().tags(in: repository) == [tag("b")])
        #expect(try directory.deleteManifest(digest, in: repository))
        let after = try powerCut()
        #expect(try after.tags(in: repository) == [])
        #expect(try after.manifests(in: repository) == [])
        #expect(try directory.deleteBlob(blob, in: repository))
        #expect(try !powerCut().hasBlob(blob, in: repository))
    }

    @Test func `what was not acknowledged is not there in part`() throws {
        let (bytes, digest) = try content(100_000)
        let upload = try directory.openUpload(in: repository, algorithm: .sha256)
        try upload.append(bytes, claim: upload.claim())
        let after = try powerCut()
        #expect(try !after.hasBlob(digest, in: repository))
        #expect(try after.repositories() == [])
    }
}
