import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

@Suite struct BlobTests {
    let scratch: ScratchDirectory
    let registry: Registry

    init() throws {
        scratch = try ScratchDirectory()
        registry = try Registry(scratch.path)
    }

    private var directory: RegistryDirectory { registry.directory }

    private func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: registry.base + "/" + path)), as: UTF8.self)
    }

    /// Spec: distribution "Pushing blobs": an empty blob is one as well.
    @Test(arguments: [0, 1, 100_000], Digest.Algorithm.allCases)
    func `what is uploaded is where the layout has it`(count: Int, algorithm: Digest.Algorithm) throws {
        let (bytes, digest) = try content(count, algorithm)
        #expect(try !directory.hasBlob(digest, in: repository))
        try registry.add(bytes, repository, algorithm: algorithm)
        #expect(try directory.hasBlob(digest, in: repository))
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(try registry.oracle.bytes(digest) == bytes)
        let link = "repositories/team/app/_layers/\(algorithm)/\(digest.hex)/link"
        #expect(try text(link) == digest.description)
        let data = "blobs/\(algorithm)/\(digest.hex.prefix(2))/\(digest.hex)/data"
        let files = try registry.snapshot().filter { $0.value != nil }.keys
        #expect(Set(files) == ["docker/registry/v2/\(link)", "docker/registry/v2/\(data)"])
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `files and directories have the modes that the umask leaves`() throws {
        let mask = umask(0)
        umask(mask)
        try registry.add([1, 2, 3], repository)
        for (name, value) in try registry.snapshot() {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(registry.root)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == Int((value == nil ? 0o777 : 0o666) & ~mask), "\(name)")
        }
    }

    @Test func `a blob belongs to the repositories that have it`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        for other in ["team", "team/app/x", "other"] {
            #expect(try !directory.hasBlob(digest, in: path(other)))
            #expect(try directory.blob(digest, in: path(other)) == nil)
        }
    }

    @Test func `an open blob outlives its removal`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        let blob = try #require(try directory.blob(digest, in: repository))
        #expect(try directory.deleteBlob(digest, in: repository))
        try registry.oracle.removeBlob(digest)
        #expect(try blob.bytes == bytes)
    }

    // MARK: - The same blob again

    @Test func `a blob that went bad is made good by sending it again`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        var damaged = bytes
        damaged[3] ^= 1
        try registry.oracle.corrupt(digest, with: damaged)
        // Who is reading the bad one goes on reading it.
        let open = try #require(try directory.blob(digest, in: repository))
        try registry.add(bytes, path("other"))
        #expect(try open.bytes == damaged)
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(try directory.blob(digest, in: path("other"))?.bytes == bytes)
        #expect(registry.leftOvers(path("other")).isEmpty)
    }

    @Test func `a blob that another program left half is replaced`() throws {
        let (bytes, digest) = try content(1000)
        try registry.oracle.corrupt(digest, with: Array(bytes.prefix(10)))
        try registry.add(bytes, repository)
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `a directory in the place of a blob is an error that says where`() throws {
        let (bytes, digest) = try content(1000)
        try scratch.write("x", to: String(registry.oracle.blobPath(digest).dropFirst(scratch.path.count + 1)) + "/file")
        let error = try #require(throws: DirectoryError.self) { try registry.add(bytes, repository) }
        #expect(error.code == .system(operation: "renaming to it", errno: EISDIR))
        #expect(error.path == registry.oracle.blobPath(digest))
        #expect(try !directory.hasBlob(digest, in: repository))
        #expect(try directory.blob(digest, in: repository) == nil)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    // MARK: - Mounting

    @Test func `a blob is mounted from a repository that has it`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        let (source, target) = (path("other/one"), path("other/two"))
        #expect(try !directory.mountBlob(digest, from: source, into: target))
        #expect(try !directory.hasBlob(digest, in: target))
        #expect(try directory.mountBlob(digest, from: repository, into: source))
        #expect(try directory.mountBlob(digest, from: source, into: target))
        #expect(try directory.mountBlob(digest, from: target, into: target))
        #expect(try directory.blob(digest, in: target)?.bytes == bytes)
        #expect(registry.oracle.hasBlob(digest, repository: "other/two"))
        #expect(registry.leftOvers(target).isEmpty)
    }

    @Test func `a blob is mounted from wherever its bytes are`() throws {
        let (bytes, digest) = try content(10)
        #expect(try !directory.mountBlob(digest, from: nil, into: path("other")))
        #expect(try registry.snapshot().isEmpty)
        try registry.add(bytes, repository)
        #expect(try directory.mountBlob(digest, from: nil, into: path("other")))
        #expect(try directory.hasBlob(digest, in: path("other")))
    }

    @Test func `a link to bytes that are gone is nothing to mount`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        try registry.oracle.removeBlob(digest)
        #expect(try !directory.hasBlob(digest, in: repository))
        #expect(try directory.blob(digest, in: repository) == nil)
        #expect(try !directory.mountBlob(digest, from: repository, into: path("other")))
        #expect(try !directory.mountBlob(digest, from: nil, into: path("other")))
    }

    // MARK: - Removing

    @Test func `a removed blob is gone from its repository at once, and only from it`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        try registry.add(bytes, path("other"))
        #expect(try directory.deleteBlob(digest, in: repository))
        #expect(try !directory.hasBlob(digest, in: repository))
        #expect(try directory.blob(digest, in: repository) == nil)
        #expect(try !directory.deleteBlob(digest, in: repository))
        #expect(try registry.oracle.layerLinks(repository: "team/app").isEmpty)
        #expect(try directory.blob(digest, in: path("other"))?.bytes == bytes)
        #expect(try directory.mountBlob(digest, from: nil, into: repository))
        #expect(try directory.hasBlob(digest, in: repository))
    }

    // MARK: - Other disks

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
    func `blobs on another file system are read, and writing to it is refused with the reason`() throws {
        let (bytes, digest) = try content(1000)
        try registry.add(bytes, repository)
        let disk = try ScratchDirectory()
        let mount = try MountedFileSystem(at: disk.path, ["-t", "tmpfs", "-o", "size=1m", "none"])
        let blobs = registry.base + "/blobs"
        try Command("cp", ["-r", blobs, mount.path]).check()
        try FileManager.default.removeItem(atPath: blobs)
        #expect(symlink(mount.path + "/blobs", blobs) == 0)
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(try directory.mountBlob(digest, from: nil, into: path("other")))
        let (more, new) = try content(1000, seed: 2)
        let error = try #require(throws: DirectoryError.self) { try registry.add(more, repository) }
        let target = registry.oracle.blobPath(new)
        #expect(error.code == .otherFileSystem(target: target))
        #expect(error.description.contains("\(target) is on another file system"))
        let manifest = try #require(throws: DirectoryError.self) {
            try directory.putManifest(more, digest: new, tags: [tag("1")], needing: [], in: repository)
        }
        #expect(manifest.code == .otherFileSystem(target: target))
        #expect(try !directory.hasBlob(new, in: repository))
        #expect(try directory.tags(in: repository) == [])
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `blobs elsewhere on the same disk are written to`() throws {
        let elsewhere = try ScratchDirectory()
        try registry.add([1], repository)
        let blobs = registry.base + "/blobs"
        try Command("mv", [blobs, elsewhere.path("blobs")]).check()
        #expect(symlink(elsewhere.path("blobs"), blobs) == 0)
        let digest = try registry.add([2], repository)
        #expect(try directory.blob(digest, in: repository)?.bytes == [2])
        #expect(try elsewhere.names(in: "blobs/sha256").contains(String(digest.hex.prefix(2))))
    }
}
