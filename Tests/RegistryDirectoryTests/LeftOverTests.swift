import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What killed writers, full disks and people leave behind: neither visible nor fatal.
@Suite struct LeftOverTests {
    let scratch: ScratchDirectory
    let registry: Registry
    let image: TestImage

    init() throws {
        scratch = try ScratchDirectory()
        registry = try Registry(scratch.path)
        var builder = ImageBuilder(seed: 1)
        image = try builder.image()
        try registry.add(image, repository, tag: tag("v1"))
    }

    private var directory: RegistryDirectory { registry.directory }
    private let here = "docker/registry/v2/repositories/team/app"

    private func makeDirectory(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
    }

    private func expectUndisturbed() throws {
        try registry.expect(image, repository)
        #expect(try directory.repositories() == [repository])
        #expect(try directory.tags(in: repository) == [tag("v1")])
        #expect(try directory.digest(of: tag("v1"), in: repository) == image.digest)
        #expect(try directory.manifests(in: repository) == [image.digest])
    }

    // MARK: - Links

    /// What a file `link` may hold, or be, that is none.
    static let notLinks: [(what: String, make: @Sendable (String) throws -> Void)] = [
        ("nothing", { try write("", $0) }),
        ("a beginning", { try write("sha256:0123", $0) }),
        ("a line end", { try write("sha256:" + String(repeating: "0", count: 64) + "\n", $0) }),
        ("another algorithm", { try write("md5:d41d8cd98f00b204e9800998ecf8427e", $0) }),
        ("a path", { try write("../../../../../../etc/passwd", $0) }),
        ("a megabyte", { try write(String(repeating: "x", count: 1 << 20), $0) }),
        ("no text", { try Data([0xff, 0xfe, 0]).write(to: URL(fileURLWithPath: $0)) }),
        ("a directory", { try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false) }),
        ("a pipe", { #expect(mkfifo($0, 0o600) == 0) }),
        ("a dangling link", { #expect(symlink("/nowhere/at/all", $0) == 0) }),
    ]

    private static func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test(arguments: notLinks.map(\.what))
    func `what is no link points nowhere, and is replaced`(what: String) throws {
        let make = try #require(Self.notLinks.first { $0.what == what }?.make)
        let (bytes, digest) = try content(100)
        let other = try registry.add(bytes, path("other"))
        let manifest = Array("{}".utf8)
        let manifestDigest = try Digest.of(manifest)
        // The bytes are there, so that only the links decide.
        #expect(
            try directory.putManifest(manifest, digest: manifestDigest, tags: [], needing: [], in: path("other")) == []
        )
        let places = [
            "_layers/sha256/\(digest.hex)", "_manifests/revisions/sha256/\(manifestDigest.hex)",
            "_manifests/tags/v2/current", "_manifests/tags/v2/index/sha256/\(manifestDigest.hex)",
        ]
        for place in places {
            try makeDirectory("\(here)/\(place)")
            try make(scratch.path("\(here)/\(place)/link"))
        }
        try registry.expect(image, repository)
        #expect(try directory.tags(in: repository) == [tag("v1")])
        #expect(try directory.digest(of: tag("v2"), in: repository) == nil)
        #expect(try directory.manifests(in: repository) == [image.digest])
        #expect(try directory.manifest(manifestDigest, in: repository) == nil)
        #expect(try !directory.hasBlob(digest, in: repository))
        #expect(try directory.blob(digest, in: repository) == nil)
        #expect(try !directory.deleteBlob(digest, in: repository))
        #expect(try !directory.deleteManifest(manifestDigest, in: repository))
        #expect(try !directory.deleteTag(tag("v2"), in: repository))

        guard what != "a directory" else { return }
        try registry.add(bytes, repository)
        let missing = try directory.putManifest(
            manifest,
            digest: manifestDigest,
            tags: [tag("v2")],
            needing: [other],
            in: repository
        )
        #expect(missing == [])
        #expect(try directory.tags(in: repository) == [tag("v1"), tag("v2")])
        #expect(try registry.oracle.digest(ofTag: "v2", repository: "team/app") == manifestDigest)
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `a link of a blob or a manifest to another is no link`() throws {
        let (bytes, digest) = try content(100)
        try registry.add(bytes, repository)
        let link = Array(image.digest.description.utf8)
        try scratch.write(link, to: "\(here)/_layers/sha256/\(digest.hex)/link")
        try scratch.write(link, to: "\(here)/_manifests/revisions/sha256/\(digest.hex)/link")
        #expect(try directory.blob(digest, in: repository) == nil)
        #expect(try !directory.hasBlob(digest, in: repository))
        #expect(try directory.manifest(digest, in: repository) == nil)
        try expectUndisturbed()
    }

    @Test func `a tag of which only the history was written is none, and can be put`() throws {
        let link = Array(image.digest.description.utf8)
        try scratch.write(link, to: "\(here)/_manifests/tags/v2/index/sha256/\(image.digest.hex)/link")
        try expectUndisturbed()
        try registry.add(image, repository, tag: tag("v2"))
        #expect(try directory.tags(in: repository) == [tag("v1"), tag("v2")])
    }

    @Test func `a tag that points at nothing is a tag, and can be removed`() throws {
        let (_, digest) = try content(100)
        try registry.oracle.setTag("gone", to: digest, repository: "team/app")
        #expect(try directory.digest(of: tag("gone"), in: repository) == digest)
        #expect(try directory.manifest(digest, in: repository) == nil)
        #expect(try directory.deleteTag(tag("gone"), in: repository))
        try expectUndisturbed()
    }

    // MARK: - Names

    @Test func `files and names that the layout has no place for are passed over`() throws {
        let digest = String(repeating: "0", count: 64)
        for file in [
            "_manifests/tags/file", "_manifests/tags/.hidden/current/link", "_manifests/tags/a b/current/link",
            "_manifests/revisions/file", "_manifests/revisions/sha256/file", "_manifests/revisions/md5/\(digest)/link",
            "_manifests/revisions/sha256/\(digest)", "_layers/sha256/\(digest)", "_layers/md5/file", "file",
            "_other/file",
            "_uploads/file", "Upper/_layers/x", "_hidden/_layers/x", ".dot/_layers/x", "a b/_layers/x", "deep/file",
            "notlayers/_layers",
        ] { try scratch.write("sha256:\(digest)", to: "\(here)/\(file)") }
        try scratch.write("x", to: "docker/registry/v2/repositories/file")
        try makeDirectory("docker/registry/v2/repositories/empty/nested")
        try makeDirectory("docker/registry/v2/repositories/" + String(repeating: "a/", count: 140))
        try expectUndisturbed()
        #expect(try directory.removeUploads(olderThan: .seconds(3600)) == 0)
    }

    @Test func `links to directories above do not go on for ever`() throws {
        for name in ["a", "b", "c"] {
            #expect(symlink(scratch.path("docker/registry/v2/repositories"), scratch.path("\(here)/\(name)")) == 0)
            #expect(symlink(".", scratch.path("\(here)/\(name)2")) == 0)
        }
        try expectUndisturbed()
    }

    @Test func `a repository that is a link to another disk is one`() throws {
        let other = try ScratchDirectory()
        try Command("mv", [scratch.path("\(here)"), other.path("app")]).check()
        #expect(symlink(other.path("app"), scratch.path(here)) == 0)
        try expectUndisturbed()
    }

    // MARK: - Uploads

    @Test func `what uploads left is no upload, and is cleaned up`() throws {
        let ids = (0..<6).map { "00000000-0000-4000-8000-00000000000\($0)" }
        let uploads = "\(here)/_uploads"
        // Killed after each step: the directory, the time, the data, the link; and a tag on its way out.
        try makeDirectory("\(uploads)/\(ids[0])")
        try scratch.write("2020-01-01T00:00:00Z", to: "\(uploads)/\(ids[1])/startedat")
        try scratch.write([1, 2], to: "\(uploads)/\(ids[2])/data")
        try scratch.write(image.digest.description, to: "\(uploads)/\(ids[3])/link-1")
        try scratch.write(image.digest.description, to: "\(uploads)/\(ids[4])/current/link")
        try makeDirectory("\(uploads)/\(ids[5])/data")
        try scratch.write("x", to: "\(uploads)/\(ids[2])/hashstates/sha256/2")
        try scratch.write("x", to: "\(uploads)/keep")
        try makeDirectory("\(uploads)/not-an-upload")
        try expectUndisturbed()
        for id in ids {
            let upload = try directory.upload(id, in: repository)
            #expect((upload != nil) == (id == ids[2]))
            #expect(upload?.byteCount ?? 2 == 2)
        }
        #expect(try directory.removeUploads(olderThan: .seconds(3600)) == 0)
        #expect(try directory.removeUploads(olderThan: .zero) == ids.count)
        #expect(registry.leftOvers(repository) == ["keep", "not-an-upload"])
        try expectUndisturbed()
    }

    @Test func `an upload that was killed while it was stored can be stored again`() throws {
        let (bytes, digest) = try content(100)
        let upload = try directory.openUpload(in: repository, algorithm: .sha256)
        try upload.append(bytes, claim: upload.claim())
        // What storing prepares, half written.
        for name in ["data-0", "data-1", "link-0", "link-1", "link-2"] {
            try scratch.write("sha256:01", to: "\(here)/_uploads/\(upload.id)/\(name)")
        }
        try upload.commit(as: digest, claim: upload.claim())
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `uploads of what never became a repository are cleaned up`() throws {
        let id = "00000000-0000-4000-8000-000000000000"
        try scratch.write([1], to: "docker/registry/v2/repositories/never/_uploads/\(id)/data")
        #expect(try directory.removeUploads(olderThan: .zero) == 1)
        #expect(registry.leftOvers(path("never")).isEmpty)
    }

    @Test func `what is a link in an upload is removed and not followed`() throws {
        let precious = try ScratchDirectory()
        try precious.write("x", to: "file")
        let upload = "\(here)/_uploads/00000000-0000-4000-8000-000000000000"
        try makeDirectory(upload)
        #expect(symlink(precious.path("file"), scratch.path(upload + "/data")) == 0)
        #expect(symlink(precious.path, scratch.path(upload + "/hashstates")) == 0)
        #expect(try directory.upload("00000000-0000-4000-8000-000000000000", in: repository) == nil)
        #expect(try directory.removeUploads(olderThan: .zero) == 1)
        #expect(try precious.read("file") == Array("x".utf8))
    }

    // MARK: - What is in the way

    @Test func `a file where a directory should be is an error of the call, and of nothing else`() throws {
        let (bytes, digest) = try content(100)
        try scratch.write("x", to: "\(here)/_layers/sha256/\(digest.hex)")
        try scratch.write("x", to: "docker/registry/v2/repositories/blocked")
        for target in [repository, path("blocked/app"), path("blocked")] {
            let error = try #require(throws: DirectoryError.self) { try registry.add(bytes, target) }
            #expect(
                error.code == .system(operation: "syncing it", errno: ENOTDIR)
                    || error.code == .system(operation: "making it", errno: ENOTDIR)
                    || error.code == .system(operation: "renaming to it", errno: ENOTDIR),
                "\(error)"
            )
            #expect(try !directory.hasBlob(digest, in: target))
        }
        #expect(registry.leftOvers(repository).isEmpty)
        try expectUndisturbed()
    }
}
