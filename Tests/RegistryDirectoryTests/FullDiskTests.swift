import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// A disk that is full at every step of every change.
@Suite(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
struct FullDiskTests {
    let scratch: ScratchDirectory
    let mount: MountedFileSystem
    let registry: Registry
    let image: TestImage

    init() throws {
        scratch = try ScratchDirectory()
        mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=2m,nr_inodes=400", "none"])
        registry = try Registry(mount.path)
        var builder = ImageBuilder(seed: 1)
        image = try builder.image()
        try registry.add(image, repository, tag: tag("v1"))
    }

    private var directory: RegistryDirectory { registry.directory }

    /// Leaves so many pages, or else so many files, of the disk while a body runs.
    private func leaving(pages: Int? = nil, files: Int? = nil, _ body: () throws -> Void) throws {
        var status = statvfs()
        #expect(statvfs(mount.path, &status) == 0)
        let hogs = mount.path + "/hogs"
        try FileManager.default.createDirectory(atPath: hogs, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: hogs) }
        if let pages {
            let count = max(0, Int(status.f_bfree) - pages) * Int(status.f_frsize)
            #expect(FileManager.default.createFile(atPath: hogs + "/0", contents: Data(count: count)))
        }
        if let files {
            var names: [String] = []
            while names.isEmpty || close(open(names[names.count - 1], O_CREAT | O_EXCL | O_WRONLY, 0o600)) == 0 {
                names.append("\(hogs)/\(names.count)")
            }
            for name in names.dropLast().suffix(files) { #expect(unlink(name) == 0) }
        }
        try body()
    }

    private func expectUndisturbed(_ what: String) throws {
        #expect(try directory.repositories() == [repository], "\(what)")
        #expect(try directory.tags(in: repository) == [tag("v1")], "\(what)")
        #expect(try directory.manifests(in: repository) == [image.digest], "\(what)")
        try registry.expect(image, repository)
        #expect(registry.leftOvers(repository).isEmpty, "\(what)")
    }

    /// Runs a change with ever more space until it succeeds; what it did not do must have left nothing.
    private func run(_ change: () throws -> Void, until isDone: () throws -> Bool) throws {
        for isOfFiles in [true, false] {
            try reset()
            #expect(try !isDone())
            var failures = 0
            let used = mount.usedByteCount
            for count in 0..<40 {
                var error: (any Error)?
                try leaving(pages: isOfFiles ? nil : count, files: isOfFiles ? count : nil) {
                    do { try change() } catch let failure { error = failure }
                }
                guard let error else { break }
                let what = "\(count) \(isOfFiles ? "files" : "pages")"
                failures += 1
                guard case .noSpace = (error as? DirectoryError)?.code else { throw error }
                #expect("\(error)".hasSuffix("no space left"))
                #expect(try !isDone(), "\(what)")
                try expectUndisturbed(what)
                #expect(mount.usedByteCount(settlingAt: used) <= used, "\(what)")
            }
            #expect(failures > 1)
            #expect(try isDone())
        }
    }

    /// Takes back what a change did.
    private func reset() throws {
        for blob in try registry.oracle.layerLinks(repository: "team/app")
        where !image.blobs.map(\.digest).contains(blob) {
            #expect(try directory.deleteBlob(blob, in: repository))
        }
        for manifest in try directory.manifests(in: repository) where manifest != image.digest {
            #expect(try directory.deleteManifest(manifest, in: repository))
        }
        let known = Set(image.blobs.map(\.digest) + [image.digest])
        for blob in try registry.oracle.blobs() where !known.contains(blob) { try registry.oracle.removeBlob(blob) }
    }

    @Test func `an upload`() throws {
        let (bytes, digest) = try content(10_000)
        func upload() throws {
            let upload = try directory.openUpload(in: repository, algorithm: .sha256)
            do {
                let claim = upload.claim()
                try upload.append(bytes, claim: claim)
                try upload.commit(as: digest, claim: claim)
            } catch {
                // The commit has ended it already.
                try? upload.cancel()
                throw error
            }
        }
        try run(upload, until: { try directory.hasBlob(digest, in: repository) })
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `a manifest with a tag`() throws {
        let (bytes, digest) = try content(10_000)
        func put() throws {
            let tag = tag("v2")
            #expect(try directory.putManifest(bytes, digest: digest, tags: [tag], needing: [], in: repository) == [])
        }
        try run(put, until: { try directory.manifest(digest, in: repository) != nil })
        #expect(try directory.manifest(digest, in: repository) == bytes)
        #expect(try directory.digest(of: tag("v2"), in: repository) == digest)
    }

    @Test func `a mount`() throws {
        let (bytes, digest) = try content(10_000)
        try registry.add(bytes, repository)
        #expect(try directory.deleteBlob(digest, in: repository))
        for files in 0..<10 {
            try leaving(files: files) {
                do throws(DirectoryError) {
                    #expect(try directory.mountBlob(digest, from: nil, into: repository))
                } catch {
                    guard case .noSpace = error.code else { throw error }
                    #expect(try !directory.hasBlob(digest, in: repository))
                }
            }
            try expectUndisturbed("\(files) files")
        }
        #expect(try directory.hasBlob(digest, in: repository))
    }

    @Test func `bytes that do not fit leave the session as it was, and it goes on when there is space`() throws {
        let (bytes, digest) = try content(300_000)
        let upload = try directory.openUpload(in: repository, algorithm: .sha256)
        let claim = upload.claim()
        try upload.append(Array(bytes.prefix(100_000)), claim: claim)
        try leaving(pages: 10) {
            let used = mount.usedByteCount
            let error = try #require(throws: DirectoryError.self) {
                try upload.append(Array(bytes.dropFirst(100_000)), claim: claim)
            }
            #expect(error.code == .noSpace(operation: "writing"))
            #expect(error.path.hasSuffix("/_uploads/\(upload.id)/data"))
            #expect(error.description == "writing \(error.path): no space left")
            #expect(upload.byteCount == 100_000)
            #expect(mount.usedByteCount(settlingAt: used) <= used)
        }
        try upload.append(Array(bytes.dropFirst(100_000)), claim: claim)
        try upload.commit(as: digest, claim: claim)
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `a full disk can be read and cleared`() throws {
        let (bytes, digest) = try content(10_000)
        try registry.add(bytes, repository)
        _ = try directory.openUpload(in: repository, algorithm: .sha256)
        try leaving(pages: 0, files: 0) {
            try registry.expect(image, repository)
            #expect(try directory.deleteBlob(digest, in: repository))
            #expect(try directory.deleteTag(tag("v1"), in: repository))
            #expect(try directory.removeUploads(olderThan: .zero) == 1)
            #expect(try directory.deleteManifest(image.digest, in: repository))
            #expect(try directory.tags(in: repository) == [])
        }
        #expect(registry.leftOvers(repository).isEmpty)
    }
}
