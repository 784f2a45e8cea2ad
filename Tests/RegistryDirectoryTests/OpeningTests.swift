import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

@Suite struct OpeningTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func open(_ name: String = "", _ access: RegistryDirectory.Access = .readWrite) throws -> RegistryDirectory
    {
        try RegistryDirectory(path: name.isEmpty ? scratch.path : scratch.path(name), access: access)
    }

    private func make(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
    }

    // MARK: - What is accepted

    @Test(arguments: [
        [], ["lost+found"],
        // What a writer leaves that was killed in its first moment.
        ["docker"], ["docker/registry"], ["docker/registry/v2"], ["lost+found", "docker/registry"],
        // A registry may have neighbours.
        ["docker/registry/v2/blobs", "backup"],
    ])
    func `an empty directory and a registry are opened, and nothing is written`(names: [String]) throws {
        for name in names { try make(name) }
        let before = try fileTree(scratch.path)
        for access in [RegistryDirectory.Access.readOnly, .readWrite] {
            let directory = try open("", access)
            #expect(directory.path == scratch.path)
            #expect(directory.isLocked)
            #expect(try directory.repositories().isEmpty)
        }
        #expect(try fileTree(scratch.path) == before)
    }

    // MARK: - What is refused

    private func refusal(_ name: String = "") throws -> DirectoryError {
        let before = try fileTree(scratch.path)
        let error = try #require(throws: DirectoryError.self) { try open(name) }
        #expect(error.operation == .opening)
        #expect(error.path == (name.isEmpty ? scratch.path : scratch.path(name)))
        #expect(try fileTree(scratch.path) == before)
        return error
    }

    @Test(arguments: ["photos", "docker/images", "docker/registry/v1", "lost+found-2"])
    func `a directory that holds something else is refused`(name: String) throws {
        try make(name)
        let error = try refusal()
        #expect(error.code == .notRegistry)
        #expect(error.description.hasPrefix("opening \(scratch.path): it is not empty, and holds no registry"))
    }

    @Test func `an image layout in a directory is refused by its name`() throws {
        try scratch.write(#"{"imageLayoutVersion":"1.0.0"}"#, to: "oci-layout")
        try make("blobs/sha256")
        let error = try refusal()
        #expect(error.code == .imageLayout)
        #expect(error.description.contains("it is an image layout in a directory"))
    }

    @Test(arguments: ["docker", "docker/registry", "docker/registry/v2"], ["blobs", "repositories"])
    func `a part of a registry is refused, and the registry named`(part: String, content: String) throws {
        try make("site/docker/registry/v2/\(content)")
        let error = try refusal("site/\(part)")
        #expect(error.code == .withinRegistry(root: scratch.path("site")))
        #expect(error.description.hasSuffix("name the registry's own directory, \(scratch.path("site"))"))
    }

    @Test func `a part of a registry is recognised through a symbolic link`() throws {
        try make("site/docker/registry/v2/blobs")
        #expect(symlink(scratch.path("site/docker"), scratch.path("link")) == 0)
        let error = try #require(throws: DirectoryError.self) { try open("link") }
        #expect(error.code == .withinRegistry(root: scratch.path("site")))
    }

    @Test func `a file and nothing at all are refused with the reason`() throws {
        try scratch.write("x", to: "file")
        #expect(try refusal("file").code == .notDirectory)
        let error = try refusal("missing")
        #expect(error.code == .system(operation: "opening", errno: ENOENT))
        #expect(error.description == "opening \(scratch.path("missing")): no such file or directory")
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
    func `a file system that may only be read can be served, and not be written to`() throws {
        let mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "ro", "none"])
        _ = try RegistryDirectory(path: mount.path, access: .readOnly)
        let error = try refusal()
        #expect(error.code == .system(operation: "writing to it", errno: EROFS))
    }

    // MARK: - The lock

    private func isRefused(_ access: RegistryDirectory.Access) throws -> Bool {
        do {
            _ = try RegistryDirectory(path: scratch.path, access: access)
            return false
        } catch {
            #expect(error.code == .inUse)
            let reason = "it is in use by another drayage, which has to end first"
            #expect(error.description == "opening \(scratch.path): \(reason)")
            return true
        }
    }

    @Test func `a writer is alone, readers share`() throws {
        var writer: RegistryDirectory? = try open()
        #expect(try isRefused(.readWrite))
        #expect(try isRefused(.readOnly))
        withExtendedLifetime(writer) {}
        writer = nil
        let reader = try open("", .readOnly)
        #expect(try !isRefused(.readOnly))
        #expect(try isRefused(.readWrite))
        withExtendedLifetime(reader) {}
    }

    @Test func `an upload that goes on keeps the lock of a registry that is gone`() throws {
        var registry: Registry? = try Registry(scratch.path)
        let upload = try #require(try registry?.directory.openUpload(in: repository, algorithm: .sha256))
        registry = nil
        #expect(try isRefused(.readWrite))
        let (bytes, digest) = try content(10)
        let claim = upload.claim()
        try upload.append(bytes, claim: claim)
        try upload.commit(as: digest, claim: claim)
        #expect(RegistryStorage(root: scratch.path).hasBlob(digest, repository: "team/app"))
    }

    /// A program that is started has all files of ours for a moment, and on a busy machine for a long one.
    @Test func `the lock goes with the registry, whoever has its files still`() throws {
        var writer: RegistryDirectory? = try open()
        let name = URL(fileURLWithPath: scratch.path).lastPathComponent
        // What others have open may be closed before it is looked at.
        let roots = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
            let file = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
            return file?.hasSuffix("/\(name)") ?? false
        }
        try #require(roots.count == 1)
        let copy = fcntl(try #require(Int32(roots[0])), F_DUPFD_CLOEXEC, 3)
        try #require(copy >= 0)
        defer { close(copy) }
        #expect(try isRefused(.readWrite))
        withExtendedLifetime(writer) {}
        writer = nil
        #expect(try !isRefused(.readWrite))
    }

    @Test(.tags(.interop), arguments: ["-x", "-s"])
    func `another process keeps writers out until it is killed`(kind: String) throws {
        let arguments = ["-F", kind, scratch.path, "sh", "-c", "echo held; exec sleep 600"]
        let other = try Command("flock", arguments).start()
        #expect(other.waitForOutput(containing: "held"))
        #expect(try isRefused(.readWrite))
        #expect(try isRefused(.readOnly) == (kind == "-x"))
        other.signal(SIGKILL)
        _ = other.wait()
        #expect(try !isRefused(.readWrite))
    }

    // MARK: - Access

    @Test func `what is open for reading only is read and never written`() throws {
        var builder = ImageBuilder(seed: 1)
        let image = try builder.image()
        let session: String
        do {
            let registry = try Registry(scratch.path)
            try registry.add(image, repository, tag: tag("1"))
            session = try registry.directory.openUpload(in: repository, algorithm: .sha256).id
        }
        let before = try fileTree(scratch.path)
        let registry = try Registry(scratch.path, .readOnly)
        try registry.expect(image, repository)
        #expect(try registry.directory.tags(in: repository) == [tag("1")])
        let (directory, digest) = (registry.directory, image.digest)
        let changes: [() throws -> Void] = [
            { _ = try directory.openUpload(in: repository, algorithm: .sha256) },
            { _ = try directory.upload(session, in: repository) },
            { _ = try directory.mountBlob(image.blobs[0].digest, from: repository, into: path("other")) },
            { _ = try directory.deleteBlob(image.blobs[0].digest, in: repository) },
            {
                let bytes = image.document.bytes
                _ = try directory.putManifest(bytes, digest: digest, tags: [tag("2")], needing: [], in: repository)
            },
            { _ = try directory.deleteManifest(digest, in: repository) },
            { _ = try directory.deleteTag(tag("1"), in: repository) },
            { try directory.removeUploads(olderThan: .zero) },
        ]
        for change in changes {
            let error = try #require(throws: DirectoryError.self) { try change() }
            #expect(error.code == .readOnly)
            #expect(error.description == "writing \(scratch.path): the registry is open for reading only")
        }
        #expect(try fileTree(scratch.path) == before)
    }
}
