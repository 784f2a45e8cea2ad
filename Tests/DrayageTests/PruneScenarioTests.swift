import OCI
import TestSupport
import Testing

@testable import Drayage

/// Each in every way, and each kept image pulled whole afterwards.
@Suite(.timeLimit(.minutes(10)), .serialized) struct PruneScenarioTests {
    @Test(arguments: PruneWay.allCases)
    func `of three repositories exactly the required tags stay`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        var expected = PruneSite.Expected()
        for index in 0..<6 {
            let tag = "v0.0.\(index)"
            if index < 5 {
                expected.goneManifests.append((try site.addImage("test/clean", tag: tag), "test/clean"))
                expected.goneTags.append(("test/clean", tag))
                expected.kept.append((try site.addImage("test/valid", tag: tag), "test/valid", tag))
            }
            let image = try site.addImage("test/invalid", tag: tag)
            if index < 3 {
                expected.goneManifests.append((image, "test/invalid"))
                expected.goneTags.append(("test/invalid", tag))
            } else {
                expected.kept.append((image, "test/invalid", tag))
            }
        }
        expected.goneRepositories = ["test/clean"]
        let required = expected.kept.map { "\($0.repository):\($0.tag ?? "")" }
        let report = try await site.prune(required)
        #expect(report.outcome == .done)
        #expect(report.removed?.tagCount == 8)
        #expect(report.removed?.manifestCount == 8)
        #expect(report.removed?.repositoryCount == 1)
        #expect(report.removed?.blobCount == (way == .directory ? 24 : 0))
        try await site.expect(expected)
        // A second run finds nothing to do.
        let again = try await site.prune(required) { _ in
        } approve: { _ in
            Issue.record("nothing was to be approved")
            return false
        }
        #expect(again.plan?.isEmpty == true)
        #expect(again.removed?.tagCount == 0)
    }

    @Test(arguments: PruneWay.allCases)
    func `a reference without a tag keeps every tag, one by digest keeps what has no tag`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        var expected = PruneSite.Expected()
        for tag in ["1", "2"] {
            expected.kept.append((try site.addImage("library/nginx", tag: tag), "library/nginx", tag))
        }
        let pinned = try site.addImage("a/app")
        expected.kept.append((pinned, "a/app", nil))
        expected.goneManifests.append((try site.addImage("a/app", tag: "old"), "a/app"))
        expected.goneTags.append(("a/app", "old"))
        let report = try await site.prune(["nginx", "a/app@\(pinned.digest)"])
        #expect(report.outcome == .done)
        try await site.expect(expected)
    }

    @Test(arguments: PruneWay.allCases)
    func `a tagged index keeps its platforms, and loses the tags on them`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let index = try site.add(try site.builder.multiPlatform(attested: true), "a/app", tag: "1")
        try site.storage.setTag("1-amd64", to: index.children[0].digest, repository: "a/app")
        let nested = try site.add(try site.builder.nestedIndex(levels: 3), "a/nested", tag: "1")
        let old = try site.add(try site.builder.multiPlatform(attested: true), "a/app", tag: "0")
        var expected = PruneSite.Expected()
        expected.kept = [(index, "a/app", "1"), (nested, "a/nested", "1")]
        expected.goneTags = [("a/app", "1-amd64"), ("a/app", "0")]
        expected.goneManifests = ([old] + old.children).map { ($0, "a/app") }
        let report = try await site.prune(["a/app:1", "a/nested:1"])
        #expect(report.outcome == .done)
        #expect(report.failures.map(\.message) == [])
        try await site.expect(expected)
    }

    @Test(arguments: PruneWay.allCases)
    func `what refers to a kept image stays, what refers to others goes`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        var expected = PruneSite.Expected()
        for (tag, stays) in [("1", true), ("2", false)] {
            let image = try site.add(try site.builder.multiPlatform(), "a/app", tag: tag)
            // Cosign's tag for a platform beneath, a fallback index, and a referrer that only its subject leads to.
            let signature = site.builder.artifact(payloadOf: "signature of \(tag)")
            let cosign = "sha256-\(image.children[1].digest.hex).sig"
            let listed = try site.builder.artifact(payload: Array("listed for \(tag)".utf8), subject: image)
            let fallback = try site.builder.index(of: [listed])
            let fallbackTag = "sha256-\(image.digest.hex)"
            let referrer = try site.builder.artifact(payload: Array("refers to \(tag)".utf8), subject: image)
            try site.add(signature, "a/app", tag: cosign)
            try site.add(fallback, "a/app", tag: fallbackTag)
            try site.add(referrer, "a/app")
            if stays {
                expected.kept += [
                    (image, "a/app", tag), (signature, "a/app", cosign), (fallback, "a/app", fallbackTag),
                    (referrer, "a/app", nil),
                ]
            } else {
                expected.goneTags += [("a/app", tag), ("a/app", cosign), ("a/app", fallbackTag)]
                expected.goneManifests += [
                    (image, "a/app"), (signature, "a/app"), (fallback, "a/app"), (listed, "a/app"),
                ]
                // Without the Referrers API nobody outside knows of it.
                if way != .docker { expected.goneManifests.append((referrer, "a/app")) }
            }
        }
        let report = try await site.prune(["a/app:1"])
        #expect(report.outcome == .done)
        try await site.expect(expected)
    }

    @Test(arguments: PruneWay.allCases)
    func `of two tags on one digest the one that is not required goes alone`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let image = try site.addImage("a/app", tag: "1")
        try site.storage.setTag("latest", to: image.digest, repository: "a/app")
        var expected = PruneSite.Expected()
        expected.kept = [(image, "a/app", "1")]
        expected.goneTags = [("a/app", "latest")]
        let report = try await site.prune(["a/app:1"])
        #expect(report.outcome == .done)
        #expect(report.removed?.tagCount == 1)
        try await site.expect(expected)
    }

    @Test(arguments: PruneWay.allCases)
    func `a layer that two repositories share stays for the one that is kept`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let base = try site.builder.layer()
        let kept = try site.addImage("a/app", tag: "1", sharing: [base])
        let gone = try site.addImage("b/app", tag: "1", sharing: [base])
        let old = try site.addImage("a/app", tag: "0", sharing: [base])
        var expected = PruneSite.Expected()
        expected.kept = [(kept, "a/app", "1")]
        expected.goneManifests = [(gone, "b/app"), (old, "a/app")]
        expected.goneRepositories = ["b/app"]
        try await #expect(site.prune(["a/app:1"]).outcome == .done)
        try await site.expect(expected)
        guard way == .directory else { return }
        #expect(try site.storage.layerLinks(repository: "a/app") == Set(kept.blobs.map(\.digest)))
        #expect(try site.storage.blobs() == Set(kept.blobs.map(\.digest) + [kept.digest]))
    }

    @Test(arguments: PruneWay.allCases)
    func `the revision that a tag had before goes, its present one stays`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let old = try site.addImage("a/app", tag: "1")
        let new = try site.addImage("a/app", tag: "1")
        var expected = PruneSite.Expected()
        expected.kept = [(new, "a/app", "1")]
        // An API does not tell of what has no tag any more.
        if way == .directory { expected.goneManifests = [(old, "a/app")] }
        try await #expect(site.prune(["a/app:1"]).outcome == .done)
        try await site.expect(expected)
    }

    @Test(arguments: [PruneWay.directory, .embedded])
    func `images by SHA-512 are kept and removed as any other`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        site.builder.algorithm = .sha512
        let kept = try site.add(try site.builder.multiPlatform(), "a/app", tag: "1")
        let signature = try site.builder.artifact(payload: Array("signature".utf8))
        let name = "sha512-\(kept.digest.hex.prefix(64))"
        try site.add(signature, "a/app", tag: name)
        let referrer = try site.builder.artifact(payload: Array("sbom".utf8), subject: kept)
        try site.add(referrer, "a/app")
        let gone = try site.add(try site.builder.multiPlatform(), "a/app", tag: "0")
        try await #expect(site.prune(["a/app:1"]).outcome == .done)
        // Debian's registry gives out no manifest by SHA-512.
        for (image, tag) in [(kept, "1" as String?), (signature, name), (referrer, nil)] {
            try expect(site.storage, has: image, "a/app", tag: tag)
        }
        #expect(try site.storage.revisions(repository: "a/app").isDisjoint(with: gone.documents.map(\.digest)))
        #expect(site.storage.tags(repository: "a/app") == ["1", name].sorted())
    }

    @Test(arguments: [PruneWay.embedded, .docker])
    func `signatures of what was not read stay`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let app = try site.addImage("app", tag: "1")
        let signature = try site.builder.artifact(payload: Array("signature".utf8))
        let name = "sha256-\(app.digest.hex).sig"
        try site.add(signature, "sigs", tag: name)
        let junk = try site.addImage("sigs", tag: "junk")
        let report = try await site.prune(keeping: .of(["app:1"], only: ["sigs"]))
        #expect(report.outcome == .done)
        try await site.expect(.init(kept: [(signature, "sigs", name)], goneManifests: [(junk, "sigs")]))
    }

    @Test(arguments: PruneWay.allCases)
    func `a registry that is empty is pruned to nothing`(way: PruneWay) async throws {
        let site = try PruneSite(way)
        let report = try await site.prune(["a/app:1"]) { $0.allowsMissing = true }
        #expect(report.outcome == .done)
        #expect(report.plan?.isEmpty == true)
    }

    @Test(arguments: PruneWay.allCases)
    func `what is missing or would leave nothing is refused, and nothing is removed`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let image = try site.addImage("a/app", tag: "1")
        let missing = try await site.prune(["a/app:1", "redis:7"])
        #expect(missing.outcome == .failed)
        #expect(missing.removed == nil)
        #expect(missing.failures.map(\.subject) == ["docker.io/library/redis:7"])
        let empty = try await site.prune(["redis:7"]) { $0.allowsMissing = true }
        #expect(empty.outcome == .failed)
        #expect(empty.failures.first?.message.contains("--allow-empty") == true)
        var expected = PruneSite.Expected()
        expected.kept = [(image, "a/app", "1")]
        try await site.expect(expected)
        let allowed = try await site.prune(["redis:7"]) {
            $0.allowsMissing = true
            $0.allowsEmpty = true
        }
        #expect(allowed.outcome == .done)
        try await site.expect(.init(goneTags: [("a/app", "1")], goneManifests: [(image, "a/app")]))
    }

    @Test(arguments: PruneWay.allCases)
    func `one corrupt manifest is told, and what it might need stays`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let kept = try site.addImage("a/app", tag: "1")
        let unneeded = try site.addImage("a/app", tag: "0")
        let other = try site.addImage("b/app", tag: "1")
        let bad = try site.addImage("a/app", tag: "bad")
        try site.storage.corrupt(bad.digest, with: Array("{ torn".utf8))
        let report = try await site.prune(["a/app:1"])
        #expect(report.outcome == .partial)
        // A registry answers for such a tag with an error, a directory shows the manifest itself.
        let subject = way == .directory ? "a/app@\(bad.digest)" : "a/app:bad"
        #expect(report.failures.map(\.message).filter { $0.contains(subject) }.count == 1, "\(report.failures)")
        var expected = PruneSite.Expected()
        expected.kept = [(kept, "a/app", "1"), (unneeded, "a/app", nil)]
        expected.goneTags = [("a/app", "0"), ("b/app", "1")]
        expected.goneManifests = [(other, "b/app")]
        try await site.expect(expected)
        #expect(bad.blobs.allSatisfy { site.storage.hasBlob($0.digest) })
    }
}

extension ImageBuilder {
    /// An artifact of a text, with no subject.
    fileprivate func artifact(payloadOf text: String) -> TestImage {
        guard let image = try? artifact(payload: Array(text.utf8)) else { preconditionFailure("no artifact") }
        return image
    }
}
