import OCI
import Testing

@testable import Drayage

@Suite struct PruneDamageTests {
    @Test func `where a manifest cannot be read no manifest and no blob of its repository goes`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        try builder.image("b/app:1")
        let damaged = ContentsBuilder.digest("damaged")
        builder.blob("damaged")
        try builder.tag("bad", "damaged", in: "a/app")
        try builder.layers(["perhaps its layer"], in: "a/app")
        try builder.change("a/app") {
            $0.damagedManifests = [damaged]
            $0.damage = ["a/app@\(damaged) cannot be read"]
        }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removedTags() == ["a/app:2", "b/app:1"])
        #expect(plan.keptTags() == ["a/app:1", "a/app:bad"])
        #expect(plan.repository("a/app")?.removedManifests.isEmpty == true)
        #expect(plan.repository("a/app")?.layers.isEmpty == true)
        for blob in ["damaged", "perhaps its layer", "a/app:2/layer", "a/app:2"] { #expect(!plan.removesBlob(blob)) }
        #expect(plan.removesBlob("b/app:1/layer"))
        #expect(plan.problems == ["a/app@\(damaged) cannot be read"])
    }

    @Test func `a kept tag of which the manifest is gone is told, and what it might need stays`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        try builder.image("b/app:1")
        try builder.tag("broken", "gone", in: "a/app")
        try builder.change("a/app") { $0.danglingManifests = [ContentsBuilder.digest("gone")] }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app", "b/app:1"]))
        #expect(plan.problems.count == 1)
        #expect(plan.problems.first?.contains("a/app:broken: the bytes of its manifest") == true)
        // Nobody requires it: then it goes, link and all.
        let unneeded = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(unneeded.removedTags() == ["a/app:2", "a/app:broken", "b/app:1"])
        #expect(unneeded.removesManifest("gone", in: "a/app"))
    }

    @Test func `where a manifest beneath a kept index is gone, every layer of the repository stays`() throws {
        var builder = ContentsBuilder()
        try builder.manifest("index", needs: ["gone", "there"], in: "a/app")
        try builder.manifest("there", in: "a/app")
        try builder.tag("1", "index", in: "a/app")
        try builder.layers(["layer of what is gone"], in: "a/app")
        try builder.change("a/app") { $0.danglingManifests = [ContentsBuilder.digest("gone")] }
        try builder.image("b/app:1")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.problems.count == 1)
        #expect(plan.repository("a/app")?.layers.isEmpty == true)
        #expect(!plan.removesManifest("gone", in: "a/app"))
        #expect(!plan.removesBlob("layer of what is gone"))
        #expect(plan.removesBlob("b/app:1/layer"))
    }

    @Test func `a kept image that lacks a layer is told; one that needs no such layer is not`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        builder.remove(blob: "a/app:1/layer")
        try builder.image("a/app:2")
        builder.remove(blob: "a/app:2/layer")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        let (image, layer) = (ContentsBuilder.digest("a/app:1"), ContentsBuilder.digest("a/app:1/layer"))
        #expect(plan.problems == ["a/app@\(image) lacks its blob \(layer); push the image again"])
    }

    @Test func `damage elsewhere in a repository does not cost a kept referrer its tag`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.manifest("sbom", subject: "a/app:1", in: "a/app")
        try builder.tag("sbom", "sbom", in: "a/app")
        try builder.change("a/app") { $0.damage = ["something cannot be read"] }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1", "a/app:sbom"])
    }

    @Test func `blobs that no repository accounts for are not all taken for garbage`() throws {
        var builder = ContentsBuilder()
        builder.blob("layer")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of([], newest: 3))
        #expect(plan.leavesNothing)
    }

    @Test func `a tag that cannot be read stays, and is no missing image`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("b/app:1")
        let tag = try Tag(parsing: "torn")
        try builder.change("a/app") {
            $0.damagedTags = [tag]
            $0.damage = ["a/app:torn cannot be read"]
        }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:torn", "b/app:1"]))
        #expect(plan.missing.isEmpty)
        #expect(plan.keptTags().contains("a/app:torn"))
        #expect(plan.removedTags() == ["a/app:1"])
        #expect(!plan.removesBlob("a/app:1/layer"))
    }

    @Test func `a repository that is left alone keeps everything, and is told`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("b/app:1")
        try builder.change("a/app") { $0.isLeftAlone = "it is reached by two names" }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["b/app:1"]))
        #expect(plan.isEmpty)
        #expect(plan.problems == ["a/app: it is reached by two names"])
    }

    @Test func `a tag that points nowhere goes, whoever requires it`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        let tag = try Tag(parsing: "ghost")
        try builder.change("a/app") { $0.ghostTags = [tag] }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app"]))
        #expect(plan.removedTags() == ["a/app:ghost"])
        let required = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "a/app:ghost"]))
        #expect(required.missing.map(\.reference) == ["docker.io/a/app:ghost"])
    }

    @Test func `links to manifests whose bytes are gone go`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.change("a/app") { $0.danglingManifests = [ContentsBuilder.digest("gone")] }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removesManifest("gone", in: "a/app"))
        #expect(plan.repository("a/app")?.removedManifests.first?.reason == "its bytes are gone")
    }

    @Test func `blobs that nothing links go, pinned ones stay`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        builder.blob("stray")
        builder.pin("pinned")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.blobs.map(\.digest) == [ContentsBuilder.digest("stray")])
    }

    /// What has come since the plan was made, and whether the plan is still safe.
    @Test(arguments: [
        ("nothing", true), ("the removed tag is gone", true), ("an unrelated image", true),
        ("the removed tag has moved", false), ("a new tag on what goes", false), ("a new index above what goes", false),
        ("a new image with a blob that goes", false), ("a new image with a blob whose link goes", false),
        ("a new link to a blob that goes", false),
        ("an image in the repository that goes", false), ("damage where something goes", false),
    ])
    func `a plan is held against the registry as it is`(change: String, isSafe: Bool) throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        try builder.image("b/app:1")
        try builder.image("a/app:3", shared: ["base"])
        try builder.image("d/app:1", shared: ["base"])
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "d/app:1"]))
        switch change {
        case "the removed tag is gone":
            let tag = try Tag(parsing: "2")
            try builder.change("a/app") { $0.tags[tag] = nil }
        case "an unrelated image": try builder.image("c/app:1")
        case "the removed tag has moved": try builder.tag("2", "a/app:1", in: "a/app")
        case "a new tag on what goes": try builder.tag("4", "a/app:2", in: "a/app")
        case "a new image with a blob whose link goes": try builder.image("a/app:4", shared: ["base"])
        case "a new index above what goes": try builder.manifest("index", needs: ["a/app:2"], in: "a/app")
        case "a new image with a blob that goes": try builder.image("c/app:1", shared: ["a/app:2/layer"])
        case "a new link to a blob that goes": try builder.layers(["a/app:2/layer"], in: "c/app")
        case "an image in the repository that goes": try builder.image("b/app:2")
        case "damage where something goes": try builder.change("a/app") { $0.damage = ["it cannot be read"] }
        default: break
        }
        #expect(plan.conflicts(with: builder.contents).isEmpty == isSafe)
    }
}
