import OCI
import Testing

@testable import Drayage

/// Signatures, attestations and whatever else belongs to an image.
@Suite struct PruneAttachmentTests {
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

    @Test func `the only signature of a kept image stays, even beside another copy of the image`() throws {
        var builder = ContentsBuilder()
        try builder.image("a/app:1")
        try builder.manifest("a/app:1", in: "b/copy")
        try builder.tag("1", "a/app:1", in: "b/copy")
        let name = "sha256-\(ContentsBuilder.digest("a/app:1").hex).sig"
        try builder.manifest("signature", in: "b/copy")
        try builder.tag(name, "signature", in: "b/copy")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(plan.keptTags() == ["a/app:1", "b/copy:\(name)"])
    }

    @Test func `where not all was read, what belongs to nothing that was read stays`() throws {
        var builder = ContentsBuilder(isStorage: false)
        try builder.image("a/app:1")
        let elsewhere = ContentsBuilder.digest("somewhere else")
        try builder.manifest("signature", in: "signatures")
        try builder.tag("sha256-\(elsewhere.hex).sig", "signature", in: "signatures")
        try builder.manifest("sbom", subject: "somewhere else", in: "signatures")
        try builder.tag("sbom", "sbom", in: "signatures")
        try builder.image("signatures:junk")
        let whole = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]))
        #expect(whole.keptTags() == ["a/app:1"])
        var contents = builder.contents
        contents.isComplete = false
        let part = try PrunePlanner.plan(contents, keeping: .of(["a/app:1"]))
        #expect(part.removedTags() == ["signatures:junk"])
        #expect(!part.removesManifest("sbom", in: "signatures"))
    }
}
