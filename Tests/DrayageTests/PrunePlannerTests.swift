import OCI
import Testing

@testable import Drayage

@Suite struct PrunePlannerTests {
    @Test func `of three repositories the required tags stay and all else goes`() throws {
        var builder = ContentsBuilder()
        for index in 0..<5 { try builder.image("test/clean:v0.0.\(index)") }
        for index in 0..<5 { try builder.image("test/valid:v0.0.\(index)") }
        for index in 0..<6 { try builder.image("test/invalid:v0.0.\(index)") }
        let required = (0..<5).map { "test/valid:v0.0.\($0)" } + (3..<6).map { "test/invalid:v0.0.\($0)" }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(required))
        #expect(plan.keptTags().sorted() == required.sorted())
        #expect(plan.removedTags().count == 8)
        #expect(plan.repositories.filter(\.isRemoved).map(\.repository.description) == ["test/clean"])
        #expect(plan.blobs.count == 8 * 3)
        #expect(plan.freedByteCount == 8 * 120)
        #expect(plan.missing.isEmpty)
    }

    @Test func `a reference without tag and digest requires every tag, and the plan says so`() throws {
        var builder = ContentsBuilder()
        try builder.image("library/nginx:1")
        try builder.image("library/nginx:2")
        try builder.image("library/other:1")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["nginx"]))
        #expect(plan.keptTags() == ["library/nginx:1", "library/nginx:2"])
        let reasons = plan.repository("library/nginx")?.tags.map(\.reason)
        #expect(reasons == Array(repeating: "every tag is required (required.txt:1)", count: 2))
    }

    @Test func `a digest alone keeps its manifest and a tag at it, and the tags of others go`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        let digest = ContentsBuilder.digest("a/app:1")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app@\(digest)"]))
        #expect(plan.removedTags() == ["a/app:2"])
        let reason = plan.repository("a/app")?.tags.first { $0.action == .keep }?.reason
        #expect(reason == "points at \(digest), which is required")
        // Where a required tag is at it, no other has to be.
        try builder.tag("latest", "a/app:1", in: "a/app")
        let tagged = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app@\(digest)", "a/app:1"]))
        #expect(tagged.removedTags() == ["a/app:2", "a/app:latest"])
        #expect(!plan.removesManifest("a/app:1", in: "a/app"))
        #expect(plan.removesManifest("a/app:2", in: "a/app"))
        #expect(!plan.removesBlob("a/app:1/layer"))
        #expect(plan.removesBlob("a/app:2/layer"))
        #expect(plan.repository("a/app")?.isRemoved == false)
    }

    @Test func `an index keeps everything beneath it, at any depth`() throws {
        var builder = ContentsBuilder()
        try builder.manifest("amd64", needs: ["amd64 layer"], in: "a/app")
        try builder.manifest("arm64", needs: ["arm64 layer"], in: "a/app")
        try builder.manifest("inner", needs: ["arm64"], in: "a/app")
        try builder.manifest("outer", needs: ["amd64", "inner"], in: "a/app")
        try builder.layers(["amd64 layer", "arm64 layer"], in: "a/app")
        try builder.tag("1", "outer", in: "a/app")
        try builder.tag("1-arm64", "arm64", in: "a/app")
        try builder.image("a/app:0")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removedTags() == ["a/app:0", "a/app:1-arm64"])
        for label in ["outer", "inner", "amd64", "arm64"] { #expect(!plan.removesManifest(label, in: "a/app")) }
        #expect(
            plan.repository("a/app")?.layers
                == [ContentsBuilder.digest("a/app:0/config"), ContentsBuilder.digest("a/app:0/layer")].sorted()
        )
        #expect(!plan.removesBlob("arm64 layer"))
    }

    @Test func `children that an index lacks are no harm`() throws {
        var builder = ContentsBuilder()
        try builder.manifest("index", needs: ["not carried"], in: "a/app")
        try builder.tag("1", "index", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1"])
        #expect(plan.problems.isEmpty)
    }

    /// The tags that clients make for what belongs to a manifest.
    @Test func `the revision that a tag had before goes`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.manifest("old", needs: ["old layer"], in: "a/app")
        try builder.layers(["old layer"], in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removedTags().isEmpty)
        #expect(plan.removesManifest("old", in: "a/app"))
        #expect(plan.removesBlob("old layer"))
    }

    @Test func `a layer that something kept shares stays, and only its useless links go`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1", shared: ["base"])
        try builder.image("b/app:1", shared: ["base"])
        try builder.image("a/app:2", shared: ["base"])
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(!plan.removesBlob("base"))
        #expect(plan.removesBlob("b/app:1/layer"))
        #expect(plan.repository("b/app")?.layers.contains(ContentsBuilder.digest("base")) == true)
        #expect(plan.repository("a/app")?.layers.contains(ContentsBuilder.digest("base")) == false)
    }

    @Test func `two tags on one digest: the one that is not required goes alone`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.tag("latest", "a/app:1", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removedTags() == ["a/app:latest"])
        #expect(plan.repositories.flatMap(\.removedManifests).isEmpty)
        #expect(plan.blobs.isEmpty)
    }

    @Test func `what needs or refers to another is removed before it`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/keep:1")
        try builder.manifest("child", in: "a/app")
        try builder.manifest("index", needs: ["child"], in: "a/app")
        try builder.manifest("sbom", subject: "index", in: "a/app")
        try builder.manifest("signature", subject: "sbom", in: "a/app")
        try builder.tag("1", "index", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/keep:1"]))
        let order = plan.repository("a/app")?.removedManifests.map(\.digest)
        #expect(order == ["signature", "sbom", "index", "child"].map(ContentsBuilder.digest))
    }

    @Test func `a required image that is not there is missing, under every name that it could have`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "redis:7", "a/app:3", "a/none"]))
        #expect(
            plan.missing.map(\.reference) == [
                "docker.io/library/redis:7", "docker.io/a/app:3", "every tag of docker.io/a/none",
            ]
        )
        #expect(plan.missing.first?.candidates == ["library/redis:7", "redis:7"])
        #expect(plan.missing.map(\.place) == ["required.txt:2", "required.txt:3", "required.txt:4"])
    }

    @Test func `a tag at the empty index of a removal that broke off is a missing image`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/other:1")
        try builder.manifest("empty", in: "a/app")
        try builder.tag("1", "empty", in: "a/app")
        try builder.change("a/app") { $0.manifests[ContentsBuilder.digest("empty")]?.isThrowAway = true }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "a/other:1"]))
        #expect(plan.missing.map(\.reference) == ["docker.io/a/app:1"])
    }

    @Test func `a tag whose manifest is gone is a missing image`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/other:1")
        try builder.tag("1", "gone", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "a/other:1"]))
        #expect(plan.missing.map(\.reference) == ["docker.io/a/app:1"])
        #expect(plan.keptTags().contains("a/app:1"))
    }
}
