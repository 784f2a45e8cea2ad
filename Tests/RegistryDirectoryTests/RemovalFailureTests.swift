import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// Removals that the system refuses in part.
@Suite(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
struct RemovalFailureTests {
    let scratch: ScratchDirectory
    let registry: Registry
    let pruned: PrunedRegistry
    let before: DirectorySurvey
    let removal: DirectoryRemoval

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        pruned = try PrunedRegistry(scratch.path)
        registry = try Registry(scratch.path)
        before = try registry.directory.survey()
        removal = pruned.removal(from: before)
    }

    /// What can fail.
    enum Step {
        case tag
        case manifest
        case layer
        case blob
    }

    /// What a mount keeps from being removed, in a repository that goes whole, and as what that fails.
    private func refused(_ step: Step) throws -> (path: String, subject: RemovalOutcome.Failure.Subject) {
        let tools = scratch.path("docker/registry/v2/repositories/team/app/tools")
        let loss = try #require(removal.repositories.first { $0.path == path("team/app/tools") })
        let content = registry.oracle.blobPath(removal.blobs[1])
        return switch step {
        case .tag: ("\(tools)/_manifests/tags/v1", .tag(tag("v1")))
        case .manifest:
            ("\(tools)/_manifests/revisions/sha256/\(loss.manifests[1].hex)/link", .manifest(loss.manifests[1]))
        case .layer: ("\(tools)/_layers/sha256/\(loss.layers[1].hex)/link", .layer(loss.layers[1]))
        case .blob: (content, .blob(removal.blobs[1]))
        }
    }

    /// Keeps something from being removed while a body runs.
    private func keeping<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        let mount = try MountedFileSystem(at: path, ["--bind", path])
        defer { withExtendedLifetime(mount) {} }
        return try body()
    }

    @Test(arguments: [Step.tag, .manifest, .layer])
    func `after a failure in a repository it loses no more, and no blob goes`(step: Step) throws {
        let (refused, subject) = try refused(step)
        let outcome = try keeping(refused) { try registry.directory.remove(removal) }
        #expect(outcome.failures.map(\.subject) == [subject], "\(outcome.failures)")
        #expect(outcome.failures.first?.repository == path("team/app/tools"))
        let codes = ["renaming to it", "removing it"].map { DirectoryError.Code.system(operation: $0, errno: EBUSY) }
        #expect(outcome.failures.first.map { codes.contains($0.error.code) } ?? false)
        #expect(outcome.hasKeptBlobs && !outcome.wasStopped && outcome.blobCount == 0)
        #expect(outcome.repositoryCount == 1)

        let after = try registry.directory.survey()
        #expect(after.blobs == before.blobs)
        let (first, last) = (
            before.repositories[2], try #require(after.repositories.first { $0.path == path("team/app/tools") })
        )
        #expect(last.tags.isEmpty == (step != .tag))
        #expect((last.manifests == first.manifests) == (step == .tag))
        #expect((last.layers == first.layers) == (step != .layer))
        #expect(!last.layers.isEmpty)
        try pruned.expectWhole(registry.oracle, "with one in the way")

        try registry.directory.removeAll(pruned.removal(from: after))
        try pruned.expectKept(registry.oracle, "at the end")
        #expect(try registry.directory.survey().repositories.map(\.path) == [path("team/app"), path("team/lists")])
        #expect(try registry.directory.survey().blobs.count == before.blobs.count - removal.blobs.count)
    }

    @Test func `a blob that cannot be removed keeps no other`() throws {
        let (refused, subject) = try refused(.blob)
        let outcome = try keeping(refused) { try registry.directory.remove(removal) }
        #expect(outcome.failures.map(\.subject) == [subject])
        #expect(outcome.failures.first?.repository == nil)
        #expect(outcome.failures.first?.error.path == refused)
        #expect(outcome.blobCount == removal.blobs.count - 1 && outcome.repositoryCount == 2 && !outcome.hasKeptBlobs)
        try registry.directory.removeAll(pruned.removal(from: try registry.directory.survey()))
        #expect(!registry.oracle.hasBlob(removal.blobs[1]))
    }

    @Test func `a disk that is full to the last file is no hindrance`() throws {
        let place = try ScratchDirectory()
        let mount = try MountedFileSystem(at: place.path, ["-t", "tmpfs", "-o", "size=8m,nr_inodes=2000", "none"])
        defer { withExtendedLifetime((place, mount)) {} }
        let root = mount.path + "/root"
        try Command("cp", ["-a", scratch.path, root]).check()
        var count = 0
        while mkdir("\(mount.path)/\(count)", 0o777) == 0 { count += 1 }
        #expect(errno == ENOSPC)
        let full = try Registry(root)
        let loss = DirectoryRemoval.Repository(repository, tags: [tag("v2")])
        let outcome = try full.directory.removeAll(DirectoryRemoval(repositories: [loss]))
        #expect(outcome.tagCount == 1)
        #expect(!full.oracle.tags(repository: "team/app").contains("v2"))
        try pruned.expectKept(full.oracle, "on a full disk")
    }
}
