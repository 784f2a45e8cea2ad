import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// A registry of which a part is to go: what is in it, and which of it stays.
struct PrunedRegistry {
    /// An image in a repository.
    struct Entry {
        let repository: RepositoryPath
        let tag: OCI.Tag
        let image: TestImage
        let isKept: Bool
    }

    let entries: [Entry]

    /// Writes it: layers that are shared in a repository and between them, a list, an artifact, a repository beneath
    /// another, two that go whole, a tag that was moved, one that is only a beginning, and an upload.
    init(_ root: String) throws {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer()
        let base = try builder.image(layers: [shared, builder.layer()])
        let list = try builder.multiPlatform(sharing: [shared])
        let artifact = try builder.artifact(payload: Array("signed".utf8), subject: base)
        entries = try [
            ("team/app", "v1", base, true), ("team/app", "same", base, false), ("team/app", "v2", list, false),
            ("team/app", "child", list.children[0], true), ("team/app", "signature", artifact, true),
            ("team/app", "moved", base, true), ("team/app/tools", "v1", builder.image(layers: [shared]), false),
            ("team/app/tools", "list", list, false), ("team/lists", "v1", builder.multiPlatform(), true),
            ("team/lists", "v0", builder.multiPlatform(attested: true), false), ("old/deep/gone", "v1", list, false),
            ("old/deep/gone", "v2", base, false),
        ].map { Entry(repository: path($0.0), tag: tag($0.1), image: $0.2, isKept: $0.3) }
        let storage = RegistryStorage(root: root)
        try storage.setTag("moved", to: list.digest, repository: "team/app")
        for entry in entries {
            try storage.add(entry.image, repository: entry.repository.description, tag: entry.tag.description)
        }
        let repositories = root + "/docker/registry/v2/repositories"
        for name in ["team/app/_manifests/tags/ghost/index", "old/deep/gone/_uploads/left/current"] {
            try FileManager.default.createDirectory(
                atPath: "\(repositories)/\(name)",
                withIntermediateDirectories: true
            )
        }
    }

    /// What a plan for it would be, from what is there.
    func removal(from survey: DirectorySurvey) -> DirectoryRemoval {
        var removal = DirectoryRemoval()
        // Children come after what needs them.
        let order = entries.flatMap { $0.image.documents.reversed() }.map(\.digest)
        var needed: Set<Digest> = []
        for found in survey.repositories {
            let kept = entries.filter { $0.isKept && $0.repository == found.path }
            let manifests = Set(kept.flatMap { $0.image.documents.map(\.digest) })
            let layers = Set(kept.flatMap { $0.image.blobs.map(\.digest) })
            needed.formUnion(manifests.union(layers))
            var goes: [Digest] = []
            for digest in order where found.manifests.contains(digest) && !manifests.contains(digest) {
                if !goes.contains(digest) { goes.append(digest) }
            }
            removal.repositories.append(
                DirectoryRemoval.Repository(
                    found.path,
                    tags: found.tags.keys.filter { tag in !kept.contains { $0.tag == tag } }.sorted(),
                    manifests: goes,
                    layers: found.layers.subtracting(layers).sorted(),
                    isWhole: kept.isEmpty
                )
            )
        }
        removal.blobs = survey.blobs.keys.filter { !needed.contains($0) }.sorted()
        return removal
    }

    /// Expects that every manifest that can be had can be had with all beneath it, and that every tag points at one.
    func expectWhole(_ storage: RegistryStorage, _ comment: Comment, location: SourceLocation = #_sourceLocation) throws
    {
        let images = entries.flatMap { [$0.image] + $0.image.children }
        let known = Dictionary(images.map { ($0.digest, $0) }) { first, _ in first }
        for name in storage.repositories() {
            let revisions = try storage.revisions(repository: name).filter { storage.hasLink(revision: $0, name) }
            for tag in storage.tags(repository: name) where tag != "ghost" {
                let digest = try #require(
                    try storage.digest(ofTag: tag, repository: name),
                    comment,
                    sourceLocation: location
                )
                #expect(revisions.contains(digest), comment, sourceLocation: location)
            }
            for digest in revisions {
                let image = try #require(known[digest], comment, sourceLocation: location)
                for document in image.documents {
                    #expect(revisions.contains(document.digest), comment, sourceLocation: location)
                    #expect(try storage.bytes(document.digest) == document.bytes, comment, sourceLocation: location)
                }
                for blob in image.blobs {
                    #expect(storage.hasBlob(blob.digest, repository: name), comment, sourceLocation: location)
                }
            }
        }
        try expectKept(storage, comment, location: location)
    }

    /// Expects that all that is to stay is there.
    func expectKept(_ storage: RegistryStorage, _ comment: Comment, location: SourceLocation = #_sourceLocation) throws
    {
        for entry in entries where entry.isKept {
            let name = entry.repository.description
            let digest = try storage.digest(ofTag: entry.tag.description, repository: name)
            #expect(digest == entry.image.digest, comment, sourceLocation: location)
            for document in entry.image.documents {
                #expect(storage.hasLink(revision: document.digest, name), comment, sourceLocation: location)
                #expect(try storage.bytes(document.digest) == document.bytes, comment, sourceLocation: location)
            }
            for blob in entry.image.blobs {
                #expect(storage.hasBlob(blob.digest, repository: name), comment, sourceLocation: location)
                #expect(try storage.bytes(blob.digest) == blob.bytes, comment, sourceLocation: location)
            }
        }
    }
}

extension RegistryStorage {
    /// Whether a repository has the link to a manifest.
    func hasLink(revision digest: Digest, _ repository: String) -> Bool {
        let name = "\(repository)/_manifests/revisions/\(digest.algorithm.rawValue)/\(digest.hex)/link"
        return FileManager.default.fileExists(atPath: "\(root)/docker/registry/v2/repositories/\(name)")
    }
}

extension RegistryDirectory {
    /// Removes something, and expects that nothing failed.
    @discardableResult
    func removeAll(_ removal: DirectoryRemoval, location: SourceLocation = #_sourceLocation) throws -> RemovalOutcome {
        let outcome = try remove(removal)
        #expect(outcome.failures.map(\.description) == [], sourceLocation: location)
        #expect(!outcome.wasStopped && !outcome.hasKeptBlobs, sourceLocation: location)
        return outcome
    }
}
