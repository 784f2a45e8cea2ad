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

    @Test func `a digest alone keeps its manifest without a tag, and the tags of others go`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        let digest = ContentsBuilder.digest("a/app:1")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app@\(digest)"]))
        #expect(plan.removedTags() == ["a/app:1", "a/app:2"])
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

    @Test func `what refers to something kept stays, and what refers to it in turn`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        try builder.manifest("sbom", needs: ["sbom blob"], subject: "a/app:1", in: "a/app")
        try builder.manifest("signature of the sbom", needs: ["sig blob"], subject: "sbom", in: "a/app")
        try builder.manifest("sbom of 2", subject: "a/app:2", in: "a/app")
        try builder.tag("the-sbom", "sbom", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1", "a/app:the-sbom"])
        #expect(!plan.removesManifest("sbom", in: "a/app"))
        #expect(!plan.removesManifest("signature of the sbom", in: "a/app"))
        #expect(!plan.removesBlob("sig blob"))
        #expect(plan.removesManifest("sbom of 2", in: "a/app"))
    }

    /// The tags that clients make for what belongs to a manifest.
    @Test(arguments: ["", ".sig", ".att", ".sbom"])
    func `a tag named after something kept stays with what is beneath it`(suffix: String) throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.image("a/app:2")
        try builder.manifest("beneath", needs: ["blob beneath"], in: "a/app")
        try builder.manifest("attached", needs: ["beneath"], in: "a/app")
        let name = "sha256-\(ContentsBuilder.digest("a/app:1").hex)\(suffix)"
        try builder.tag(name, "attached", in: "a/app")
        let other = "sha256-\(ContentsBuilder.digest("a/app:2").hex)\(suffix)"
        try builder.manifest("attached to 2", in: "a/app")
        try builder.tag(other, "attached to 2", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1", "a/app:\(name)"])
        #expect(!plan.removesManifest("beneath", in: "a/app"))
        #expect(!plan.removesBlob("blob beneath"))
        #expect(plan.removesManifest("attached to 2", in: "a/app"))
    }

    @Test func `signatures of platforms beneath an index stay`() throws {
        var builder = ContentsBuilder()
        try builder.manifest("amd64", in: "a/app")
        try builder.manifest("index", needs: ["amd64"], in: "a/app")
        try builder.tag("1", "index", in: "a/app")
        try builder.manifest("signature", in: "a/app")
        let name = "sha256-\(ContentsBuilder.digest("amd64").hex).sig"
        try builder.tag(name, "signature", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.removedTags().isEmpty)
    }

    @Test func `signatures in a repository of their own stay, those beside another copy of the image go with it`()
        throws
    {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        let name = "sha256-\(ContentsBuilder.digest("a/app:1").hex).sig"
        try builder.manifest("signature", in: "signatures")
        try builder.tag(name, "signature", in: "signatures")
        try builder.manifest("attestation", subject: "a/app:1", in: "attestations")
        // Another copy of the same image, which nobody requires.
        try builder.manifest("a/app:1", needs: ["a/app:1/config", "a/app:1/layer"], in: "b/copy")
        try builder.tag("1", "a/app:1", in: "b/copy")
        try builder.manifest("signature", in: "b/copy")
        try builder.tag(name, "signature", in: "b/copy")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1", "signatures:\(name)"])
        #expect(!plan.removesManifest("attestation", in: "attestations"))
        #expect(plan.repository("b/copy")?.isRemoved == true)
        #expect(!plan.removesBlob("a/app:1/layer"))
    }

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

    @Test func `a tag whose manifest is gone is a missing image`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/other:1")
        try builder.tag("1", "gone", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1", "a/other:1"]))
        #expect(plan.missing.map(\.reference) == ["docker.io/a/app:1"])
        #expect(plan.keptTags().contains("a/app:1"))
    }
}
