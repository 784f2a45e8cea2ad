import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What a removal takes, what it leaves, and what it says.
@Suite struct RemovalTests {
    typealias Loss = DirectoryRemoval.Repository

    let scratch: ScratchDirectory
    let registry: Registry
    let pruned: PrunedRegistry

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        pruned = try PrunedRegistry(scratch.path)
        registry = try Registry(scratch.path)
    }

    private var directory: RegistryDirectory { registry.directory }
    private let all = "docker/registry/v2/repositories"

    private func removal() throws -> DirectoryRemoval { pruned.removal(from: try directory.survey()) }

    /// Expects that a removal fails in this way alone.
    private func expect(
        _ outcome: RemovalOutcome,
        _ subject: RemovalOutcome.Failure.Subject,
        in repository: RepositoryPath?,
        _ path: String,
        _ code: DirectoryError.Code,
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.failures.count == 1, "\(outcome.failures)", sourceLocation: location)
        #expect(outcome.failures.first?.subject == subject, sourceLocation: location)
        #expect(outcome.failures.first?.repository == repository, sourceLocation: location)
        #expect(outcome.failures.first?.error.path == scratch.path(path), sourceLocation: location)
        #expect(outcome.failures.first?.error.code == code, sourceLocation: location)
        #expect(!outcome.wasStopped, sourceLocation: location)
    }

    // MARK: - What goes

    @Test func `all that is named goes, and nothing else`() throws {
        let (before, removal) = (try directory.survey(), try removal())
        let outcome = try directory.removeAll(removal)
        try pruned.expectKept(registry.oracle, "at the end")
        let after = try directory.survey()
        for loss in removal.repositories {
            let first = try #require(before.repositories.first { $0.path == loss.path })
            guard let last = after.repositories.first(where: { $0.path == loss.path }) else {
                #expect(loss.isWhole && !scratch.contains("\(all)/\(loss.path)"))
                continue
            }
            #expect(!loss.isWhole)
            #expect(last.tags == first.tags.filter { !loss.tags.contains($0.key) })
            #expect(last.manifests == first.manifests.subtracting(loss.manifests))
            #expect(last.layers == first.layers.subtracting(loss.layers))
            #expect(last.ghostTags.isEmpty)
        }
        #expect(after.repositories.map(\.path) == [path("team/app"), path("team/lists")])
        #expect(!scratch.contains("\(all)/old") && after.uploads.isEmpty)
        #expect(after.blobs == before.blobs.filter { !removal.blobs.contains($0.key) })

        #expect(outcome.tagCount == removal.repositories.reduce(0) { $0 + $1.tags.count })
        #expect(outcome.manifestCount == removal.repositories.reduce(0) { $0 + $1.manifests.count })
        #expect(outcome.layerCount == removal.repositories.reduce(0) { $0 + $1.layers.count })
        #expect(outcome.blobCount == removal.blobs.count)
        #expect(outcome.freedByteCount == removal.blobs.reduce(0) { $0 + (before.blobs[$1] ?? 0) })
        #expect(outcome.uploadCount == 1 && outcome.repositoryCount == 2)
    }

    @Test func `of tags that stay the history loses what goes, and keeps the rest`() throws {
        let index = "\(all)/team/app/_manifests/tags/moved/index/sha256"
        #expect(try scratch.names(in: index).count == 2)
        try directory.removeAll(removal())
        #expect(try scratch.names(in: index) == [pruned.entries[0].image.digest.hex])
        #expect(try scratch.names(in: "\(all)/team/app/_manifests/tags/child/index/sha256").count == 1)
    }

    @Test func `a repository that is named without anything loses only what kills left`() throws {
        let (_, hollow) = try content(10)
        let revision = "\(all)/team/app/_manifests/revisions/sha256/\(hollow.hex)"
        try FileManager.default.createDirectory(atPath: scratch.path(revision), withIntermediateDirectories: false)
        let before = try directory.survey()
        let outcome = try directory.removeAll(DirectoryRemoval(repositories: [Loss(path("team/app"))]))
        #expect(outcome.tagCount + outcome.manifestCount + outcome.layerCount + outcome.repositoryCount == 0)
        #expect(try directory.survey().repositories.map(\.tags) == before.repositories.map(\.tags))
        #expect(!scratch.contains(revision) && !scratch.contains("\(all)/team/app/_manifests/tags/ghost"))
        #expect(scratch.contains("\(all)/old/deep/gone/_uploads/left"))
    }

    @Test func `dangling manifests and links to layers that are gone can be removed`() throws {
        let image = pruned.entries[0].image
        for digest in [image.digest, image.layers[0].digest] { try registry.oracle.removeBlob(digest) }
        let loss = Loss(repository, manifests: [image.digest], layers: [image.layers[0].digest])
        let outcome = try directory.removeAll(DirectoryRemoval(repositories: [loss], blobs: [image.digest]))
        #expect(outcome.manifestCount == 1 && outcome.layerCount == 1 && outcome.blobCount == 0)
        let found = try directory.survey().repositories.first { $0.path == repository }
        #expect(found?.danglingManifests == [] && found?.layers.contains(image.layers[0].digest) == false)
    }

    @Test func `readers remove nothing`() throws {
        let (scratch, removal) = (try ScratchDirectory(inMemory: true), try removal())
        try Command("cp", ["-a", self.scratch.path("docker"), scratch.path]).check()
        let reader = try Registry(scratch.path, .readOnly)
        let before = try reader.snapshot()
        let error = #expect(throws: DirectoryError.self) { try reader.directory.remove(removal) }
        #expect(error?.code == .readOnly)
        #expect(try reader.snapshot() == before)
    }

    @Test func `an upload that is in use here stays`() throws {
        let upload = try directory.openUpload(in: repository, algorithm: .sha256)
        let claim = upload.claim()
        try upload.append([1], claim: claim)
        let outcome = try directory.removeAll(DirectoryRemoval(repositories: [Loss(repository)]))
        #expect(outcome.uploadCount == 0)
        try upload.commit(as: try Digest.of([1]), claim: claim)
        #expect(try directory.hasBlob(try Digest.of([1]), in: repository))
    }

    // MARK: - What stays

    @Test func `what is damaged is not touched`() throws {
        let (_, other) = try content(10)
        let files = [
            "_layers/sha256/\(other.hex)/link", "_manifests/revisions/sha256/\(other.hex)/link",
            "_manifests/tags/broken/current/link", "_manifests/tags/a b/current/link", "_layers/md5/x/link",
        ]
        for file in files { try scratch.write("", to: "\(all)/team/app/\(file)") }
        let loss = Loss(repository, tags: [tag("broken")], manifests: [other], layers: [other])
        let outcome = try directory.removeAll(DirectoryRemoval(repositories: [loss]))
        #expect(outcome.tagCount + outcome.manifestCount + outcome.layerCount == 0)
        for file in files { #expect(scratch.contains("\(all)/team/app/\(file)")) }
    }

    @Test func `a repository that holds something unknown stays, and that is said`() throws {
        try scratch.write("x", to: "\(all)/old/deep/gone/_layers/sha256/precious")
        let removal = try removal()
        expect(
            try directory.remove(removal),
            .repository,
            in: path("old/deep/gone"),
            "\(all)/old/deep/gone/_layers/sha256",
            .system(operation: "removing", errno: ENOTEMPTY)
        )
        #expect(try scratch.read("\(all)/old/deep/gone/_layers/sha256/precious") == Array("x".utf8))
        // Nothing that could need a blob was left.
        for digest in removal.blobs { #expect(!registry.oracle.hasBlob(digest)) }
    }

    @Test func `files beside the parts of a repository stay, with the directories above`() throws {
        try scratch.write("x", to: "\(all)/old/deep/README")
        #expect(try directory.removeAll(removal()).repositoryCount == 2)
        #expect(try scratch.names(in: "\(all)/old/deep") == ["README"])
    }

    @Test func `what is unknown below blobs stays`() throws {
        let removal = try removal()
        let digest = try #require(removal.blobs.first)
        let beside = "docker/registry/v2/blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)/note"
        let files = [beside, "docker/registry/v2/blobs/md5/00/0/data", "docker/registry/v2/blobs/sha256/file"]
        for file in files { try scratch.write("x", to: file) }
        try directory.removeAll(removal)
        for file in files { #expect(scratch.contains(file)) }
        #expect(!registry.oracle.hasBlob(digest))
    }

    // MARK: - Links

    @Test(arguments: ["old", "old/deep/gone", "old/deep/gone/_layers", "old/deep/gone/_manifests/tags"])
    func `a repository behind a symbolic link is not touched, and no blob is`(link: String) throws {
        let other = try ScratchDirectory(inMemory: true)
        let place = scratch.path("\(all)/\(link)")
        try Command("mv", [place, other.path("moved")]).check()
        #expect(symlink(other.path("moved"), place) == 0)
        let (before, removal) = (try fileTree(other.path), try removal())
        let outcome = try directory.remove(removal)
        let isPart = link.contains("_")
        expect(
            outcome,
            .repository,
            in: path("old/deep/gone"),
            isPart ? "\(all)/\(link)" : "\(all)/old/deep/gone",
            .symbolicLink
        )
        #expect(outcome.hasKeptBlobs && outcome.blobCount == 0 && outcome.repositoryCount == 1)
        #expect(try fileTree(other.path) == before)
        for digest in removal.blobs { #expect(registry.oracle.hasBlob(digest)) }
    }

    @Test func `links in a tag, among uploads and in the place of a blob are not followed`() throws {
        let other = try ScratchDirectory(inMemory: true)
        let history = "\(all)/team/app/_manifests/tags/moved/index"
        let uploads = "\(all)/old/deep/gone/_uploads"
        let tagged = "\(all)/old/deep/gone/_manifests/tags/v1"
        try Command("mv", [scratch.path(history), other.path("index")]).check()
        try other.write("x", to: "file")
        #expect(symlink(other.path("index"), scratch.path(history)) == 0)
        #expect(symlink(other.path, scratch.path("\(uploads)/link")) == 0)
        #expect(symlink(other.path, scratch.path("\(tagged)/link")) == 0)
        let removal = try removal()
        let digest = try #require(removal.blobs.first)
        let data = registry.oracle.blobPath(digest)
        try Command("mv", [data, other.path("data")]).check()
        #expect(symlink(other.path("data"), data) == 0)
        let before = try fileTree(other.path)
        try directory.removeAll(removal)
        #expect(try fileTree(other.path) == before)
        #expect(!scratch.contains(uploads) && !scratch.contains(tagged))
        #expect(!registry.oracle.hasBlob(digest))
    }

    @Test func `a blob behind a link to a directory is refused, and the others go`() throws {
        let removal = try removal()
        let (digest, other) = (try #require(removal.blobs.first), try ScratchDirectory(inMemory: true))
        let content = String(registry.oracle.blobPath(digest).dropLast("/data".count))
        try Command("mv", [content, other.path("content")]).check()
        #expect(symlink(other.path("content"), content) == 0)
        let outcome = try directory.remove(removal)
        let name = "docker/registry/v2/blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex)"
        expect(outcome, .blob(digest), in: nil, name, .symbolicLink)
        #expect(outcome.blobCount == removal.blobs.count - 1 && other.contains("content/data"))
    }
}
