import Foundation
import OCI
import RegistryDirectory
import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

/// What only a storage directory has: locks, writers, left-overs, links that lead elsewhere.
@Suite(.timeLimit(.minutes(10))) struct PruneStorageTests {
    private func base(_ site: PruneSite) -> String { site.storage.root + "/docker/registry/v2" }

    private func write(_ text: String, to path: String) throws {
        let directory = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func `it refuses while something is younger than the time of grace, and a dry run does not mind`()
        async throws
    {
        var site = try PruneSite(.directory)
        try site.addImage("a/app", tag: "1")
        try site.addImage("a/app", tag: "0")
        await #expect {
            try await site.prune(["a/app:1"]) { $0.grace = .seconds(600) }
        } throws: { "\($0)".contains("--grace 0s") && "\($0)".contains("was written") }
        let report = try await site.prune(["a/app:1"]) {
            $0.grace = .seconds(600)
            $0.isDryRun = true
        }
        #expect(report.outcome == .done)
        #expect(site.storage.tags(repository: "a/app") == ["0", "1"])
    }

    @Test func `it refuses while an upload is younger than the time of grace, and removes one that is abandoned`()
        async throws
    {
        var site = try PruneSite(.directory)
        let kept = try site.addImage("a/app", tag: "1")
        let upload = base(site) + "/repositories/a/app/_uploads/6f0c4e1c-0000-4000-8000-000000000000"
        try write("2026-01-01T00:00:00Z", to: upload + "/startedat")
        try write("half a layer", to: upload + "/data")
        try age(site, except: upload + "/data")
        await #expect {
            try await site.prune(["a/app:1"]) { $0.grace = .seconds(600) }
        } throws: { "\($0)".contains("_uploads/6f0c4e1c") }
        #expect(FileManager.default.fileExists(atPath: upload + "/data"))
        try age(site)
        let report = try await site.prune(["a/app:1"]) { $0.grace = .seconds(600) }
        #expect(report.outcome == .done)
        #expect(!FileManager.default.fileExists(atPath: upload))
        try await site.expect(.init(kept: [(kept, "a/app", "1")]))
    }

    /// Makes all files an hour old.
    private func age(_ site: PruneSite, except young: String? = nil) throws {
        let files = FileManager.default.enumerator(atPath: site.storage.root)
        while let file = files?.nextObject() as? String {
            let path = site.storage.root + "/" + file
            guard path != young else { continue }
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -3600)],
                ofItemAtPath: path
            )
        }
    }

    @Test func `it refuses while a registry of ours has the directory, which refuses while it is pruned`() async throws
    {
        var site = try PruneSite(.directory)
        try site.addImage("a/app", tag: "1")
        try site.addImage("a/app", tag: "0")
        let storage = site.storage
        let registry = try await EmbeddedRegistry(on: storage)
        await #expect { try await site.prune(["a/app:1"]) } throws: { ($0 as? DirectoryError)?.code == .inUse }
        _ = try await registry.finish()
        let report = try await site.prune(["a/app:1"]) { _ in
        } approve: { _ in
            await #expect(throws: (any Error).self) { try await EmbeddedRegistry(on: storage) }
            return true
        }
        #expect(report.outcome == .done)
    }

    @Test func `a directory that was never used, or has but an upload, is no error`() async throws {
        let site = try PruneSite(.directory)
        let report = try await site.prune(["a/app:1"]) { $0.allowsMissing = true }
        #expect(report.outcome == .done)
        try write("x", to: base(site) + "/repositories/a/app/_uploads/6f0c4e1c-0000-4000-8000-000000000000/data")
        let second = try await site.prune(["a/app:1"]) { $0.allowsMissing = true }
        #expect(second.outcome == .done)
        #expect(!FileManager.default.fileExists(atPath: base(site) + "/repositories/a"))
    }

    @Test func `what is no registry is refused`() async throws {
        let site = try PruneSite(.directory)
        try write("precious", to: site.storage.root + "/thesis.tex")
        await #expect { try await site.prune(["a/app:1"]) } throws: { ($0 as? DirectoryError)?.code == .notRegistry }
    }

    @Test(arguments: ["", "sha256:torn"])
    func `a torn link is told, and what it might have needed stays`(text: String) async throws {
        var site = try PruneSite(.directory)
        let kept = try site.addImage("a/app", tag: "1")
        let perhaps = try site.addImage("a/app", tag: "torn")
        let other = try site.addImage("b/app", tag: "1")
        try write(text, to: base(site) + "/repositories/a/app/_manifests/tags/torn/current/link")
        let report = try await site.prune(["a/app:1"])
        #expect(report.outcome == .partial)
        #expect(report.failures.contains { $0.message.contains("tags/torn/current/link") })
        try await site.expect(
            .init(kept: [(kept, "a/app", "1"), (perhaps, "a/app", nil)], goneManifests: [(other, "b/app")])
        )
    }

    /// What is away, as a disk that is not mounted, and what is said.
    @Test(arguments: [("repositories", "--allow-empty"), ("blobs", "is the directory of the blobs mounted?")])
    func `a storage of which a part is away is refused`(part: String, message: String) async throws {
        var site = try PruneSite(.directory)
        let image = try site.addImage("a/app", tag: "1")
        let (path, away) = (base(site) + "/" + part, base(site) + "/away")
        try FileManager.default.moveItem(atPath: path, toPath: away)
        var told = ""
        do {
            let report = try await site.prune(keeping: .of([], newest: 3))
            #expect(report.outcome == .failed)
            told = report.failures.map(\.message).joined()
        } catch {
            told = "\(error)"
        }
        #expect(told.contains(message))
        try FileManager.default.moveItem(atPath: away, toPath: path)
        try await site.expect(.init(kept: [(image, "a/app", "1")]))
    }

    @Test func `while a link leads to a disk that is not there, no blob goes`() async throws {
        var site = try PruneSite(.directory)
        let kept = try site.addImage("b/app", tag: "1")
        let gone = try site.addImage("b/app", tag: "0")
        let away = try site.addImage("team/app", tag: "1")
        let (path, disk) = (base(site) + "/repositories/team", base(site) + "/disk")
        try FileManager.default.moveItem(atPath: path, toPath: disk)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere/at/all")
        let report = try await site.prune(["b/app:1"])
        #expect(report.outcome == .partial)
        #expect(report.removed?.tagCount == 1)
        #expect(report.removed?.blobCount == 0)
        #expect(report.failures.contains { $0.message.contains("leads nowhere") })
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: disk, toPath: path)
        #expect(gone.blobs.allSatisfy { site.storage.hasBlob($0.digest) })
        try await site.expect(.init(kept: [(kept, "b/app", "1"), (away, "team/app", "1")], goneTags: [("b/app", "0")]))
    }

    @Test func `blobs that are those of another registry, by a link, stay`() async throws {
        var site = try PruneSite(.directory)
        let image = try site.addImage("a/app", tag: "1")
        var other = try PruneSite(.directory)
        try other.addImage("b/app", tag: "1")
        try FileManager.default.removeItem(atPath: base(other) + "/blobs")
        let blobs = base(site) + "/blobs"
        try FileManager.default.createSymbolicLink(atPath: base(other) + "/blobs", withDestinationPath: blobs)
        let report = try await other.prune(keeping: .of([], newest: 1)) { $0.allowsEmpty = true }
        #expect(report.removed?.blobCount ?? 0 == 0)
        #expect(report.failures.contains { $0.message.contains("the blobs of another registry") })
        try await site.expect(.init(kept: [(image, "a/app", "1")]))
    }

    @Test func `a repository under two names is left as it is`() async throws {
        var site = try PruneSite(.directory)
        let image = try site.addImage("a/app", tag: "1")
        let gone = try site.addImage("c/app", tag: "1")
        let repositories = base(site) + "/repositories"
        try FileManager.default.createSymbolicLink(atPath: repositories + "/b", withDestinationPath: "a")
        let report = try await site.prune(["b/app:1"])
        #expect(report.outcome == .partial)
        try await site.expect(
            .init(kept: [(image, "a/app", "1"), (image, "b/app", "1")], goneManifests: [(gone, "c/app")])
        )
    }

    @Test func `what lies under a name that no repository can have keeps its blobs`() async throws {
        var site = try PruneSite(.directory)
        let kept = try site.addImage("a/app", tag: "1")
        let foreign = try site.add(try site.builder.multiPlatform(), "Team/App", tag: "1")
        let gone = try site.addImage("a/app", tag: "0")
        let report = try await site.prune(["a/app:1"])
        #expect(report.removed?.tagCount == 1)
        try await site.expect(.init(kept: [(kept, "a/app", "1")], goneManifests: [(gone, "a/app")]))
        for digest in foreign.documents.map(\.digest) + foreign.blobs.map(\.digest) {
            #expect(site.storage.hasBlob(digest))
        }
    }

    @Test func `a bundle can say what stays`() async throws {
        var site = try PruneSite(.directory)
        let kept = try site.add(try site.builder.multiPlatform(), "a/app", tag: "1")
        let gone = try site.addImage("a/app", tag: "0")
        let workshop = try Workshop()
        let source = try await EmbeddedRegistry()
        let name = try source.add(kept, "a/app", tag: "1")
        _ = try await workshop.bundle([name])
        let requirement = try PruneRequirement(images: RequiredImage.images(ofBundle: workshop.path()))
        let report = try await site.prune(keeping: requirement)
        #expect(report.outcome == .done)
        try await site.expect(.init(kept: [(kept, "a/app", "1")], goneManifests: [(gone, "a/app")]))
        // Another image under the tag of the bundle's is not what the bundle requires.
        let other = try PruneSite(.directory)
        try other.add(gone, "a/app", tag: "1")
        #expect(try await other.prune(keeping: requirement).failures.map(\.subject) == ["\(name)@\(kept.digest)"])
    }

    @Test(arguments: PruneWay.allCases)
    func `the newest images stay, by the time that they state`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        var images: [TestImage] = []
        for (tag, year) in [("old", "2020"), ("new", "2025"), ("mid", "2022")] {
            let image = try site.builder.image(annotations: [
                "org.opencontainers.image.created": "\(year)-01-01T00:00:00Z"
            ])
            images.append(try site.add(image, "a/app", tag: tag))
        }
        let report = try await site.prune(keeping: .of([], newest: 2))
        #expect(report.outcome == .done)
        try await site.expect(
            .init(
                kept: [(images[1], "a/app", "new"), (images[2], "a/app", "mid")],
                goneTags: [("a/app", "old")],
                goneManifests: [(images[0], "a/app")]
            )
        )
    }
}
