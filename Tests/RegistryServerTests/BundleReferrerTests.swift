import ImageLayout
import OCI
import RegistryServer
import Testing

@testable import TestSupport

/// Signatures and the like in bundles: they are served where their subject is.
@Suite struct BundleReferrerTests {
    private let bundle: TestBundle
    private var builder = ImageBuilder(seed: 930)

    init() throws { bundle = try TestBundle() }

    private func serve(_ readers: LayoutReader...) throws -> any RegistryStore {
        try BundleContent(readers: readers, naming: withoutHost).store(forNamespace: nil)
    }

    private func signature(of image: TestImage, _ text: String = "signed") throws -> TestImage {
        try builder.artifact(payload: Array(text.utf8), type: "application/vnd.example.signature", subject: image)
    }

    @Test mutating func `a referrer without a name is served where its subject is, with what refers to it`() throws {
        let (image, other) = (try builder.image(), try builder.image())
        let signature = try signature(of: image)
        let countersignature = try self.signature(of: signature, "signed twice")
        let unrelated = try self.signature(of: try builder.image(), "of what is not here")
        let store = try serve(
            bundle.write(entries: [
                (countersignature, [:]), (image, named("quay.io/app:1")), (other, named("quay.io/other:1")),
                (signature, [:]), (unrelated, [:]),
            ])
        )
        try expect(store, serves: [image, signature, countersignature], at: "app")
        try expect(store, serves: [other], at: "other")
        #expect(try store.tags(in: path("app"))?.count == 1)
        #expect(try store.repositories().count == 2)
    }

    @Test mutating func `a referrer of one platform is served with the image`() throws {
        let image = try builder.multiPlatform()
        let signature = try signature(of: image.children[1])
        let store = try serve(bundle.write(entries: [(image, named("quay.io/app:1")), (signature, [:])]))
        try expect(store, serves: [image, signature], at: "app")
    }

    @Test mutating func `an index may refer too, and brings what is beneath it`() throws {
        let image = try builder.image()
        let list = try builder.index(of: [builder.image(), builder.image()])
        let text = String(decoding: list.document.bytes, as: UTF8.self)
        let subject = """
            "subject":{"mediaType":"\(image.top.mediaType)","digest":"\(image.digest)","size":\(image.top.size)}}
            """
        let bytes = Array((text.dropLast() + "," + subject).utf8)
        let referrer = TestImage(
            document: try TestDocument(bytes: bytes, mediaType: .ociIndex),
            children: list.children,
            config: nil,
            layers: [],
            platform: nil
        )
        let store = try serve(bundle.write(entries: [(image, named("quay.io/app:1")), (referrer, [:])]))
        try expect(store, serves: [image, referrer], at: "app")
    }

    @Test mutating func `a referrer with a name of its own is served under it and where its subject is`() throws {
        let image = try builder.image()
        let signature = try signature(of: image)
        let reader = try bundle.write([("quay.io/app:1", image), ("quay.io/signatures:app", signature)])
        let store = try serve(reader)
        try expect(store, serves: [image, signature], at: "app")
        try expect(store, serves: [signature], at: "signatures")
    }

    @Test mutating func `one image in two repositories has the signature where it was found`() throws {
        let image = try builder.image()
        let (one, two) = (try signature(of: image, "one"), try signature(of: image, "two"))
        let anywhere = try signature(of: image, "anywhere")
        let store = try serve(
            bundle.write(entries: [
                (image, named("quay.io/one:1")), (image, named("quay.io/two:1")),
                (one, ["dev.drayage.repository": "quay.io/one"]),
                (two, ["dev.drayage.repository": "quay.io/two"]),
                // Found in a repository of which nothing is here, or in what is none.
                (anywhere, ["dev.drayage.repository": "quay.io/three"]),
            ])
        )
        try expect(store, serves: [image, one, anywhere], at: "one")
        try expect(store, serves: [image, two, anywhere], at: "two")
        #expect(try store.repositories().count == 2)
    }

    @Test mutating func `a signature of cosign is found by its tag`() throws {
        let image = try builder.image()
        let signature = try builder.artifact(payload: Array("cosign".utf8))
        let tag = "sha256-\(image.digest.hex).sig"
        let store = try serve(
            bundle.write(entries: [
                (image, named("quay.io/app:1")),
                (
                    signature,
                    [
                        "io.containerd.manifest.subject": "\(image.digest)", "dev.drayage.repository": "quay.io/app",
                        "dev.drayage.tag": tag,
                    ]
                ),
            ])
        )
        #expect(try store.digest(of: Tag(parsing: tag), in: path("app")) == signature.digest)
        try expect(store, serves: [image, signature], at: "app")
    }

    /// Annotations that others may have written.
    @Test(arguments: [
        [:], ["dev.drayage.repository": "no reference"], ["dev.drayage.repository": "quay.io/app:1"],
        ["dev.drayage.tag": "sig"], ["dev.drayage.repository": ""],
    ])
    mutating func `a subject in an annotation is one too`(annotations: [String: String]) throws {
        let (image, other) = (try builder.image(), try builder.image())
        let signature = try builder.artifact(payload: Array("cosign".utf8))
        let nonsense = try builder.artifact(payload: Array("nonsense".utf8))
        let subject = ["io.containerd.manifest.subject": "\(image.digest)"]
        let store = try serve(
            bundle.write(entries: [
                (image, named("quay.io/app:1")), (other, named("quay.io/other:1")),
                (signature, annotations.merging(subject) { $1 }),
                (nonsense, ["io.containerd.manifest.subject": "nonsense"]),
            ])
        )
        try expect(store, serves: [image, signature], at: "app")
        try expect(store, serves: [other], at: "other")
        #expect(try store.tags(in: path("app"))?.count == 1)
    }

    @Test mutating func `the subject may be in another bundle`() throws {
        let (image, other) = (try builder.image(), try builder.image())
        let signature = try signature(of: image)
        let store = try serve(
            bundle.write(entries: [(signature, [:]), (other, named("quay.io/other:1"))], to: "signatures.tar"),
            bundle.write([("quay.io/app:1", image)], to: "images.tar")
        )
        try expect(store, serves: [image, signature], at: "app")
        try expect(store, serves: [other], at: "other")
    }

    @Test mutating func `what refers to itself by way of another ends`() throws {
        // Digests allow no cycle, annotations do.
        let image = try builder.image()
        let (one, two) = (try builder.artifact(payload: [1]), try builder.artifact(payload: [2]))
        let key = "io.containerd.manifest.subject"
        let store = try serve(
            bundle.write(entries: [
                (image, named("quay.io/app:1")), (one, [key: "\(image.digest)"]), (two, [key: "\(one.digest)"]),
                (one, [key: "\(two.digest)"]),
            ])
        )
        try expect(store, serves: [image, one, two], at: "app")
    }

    @Test mutating func `a host's store has the referrers as well`() throws {
        let image = try builder.image()
        let signature = try signature(of: image)
        let reader = try bundle.write(entries: [(image, named("quay.io/app:1")), (signature, [:])])
        let content = try BundleContent(readers: [reader]) { try path("p/\($0.path)") }
        for name in ["app", "p/app"] {
            try expect(content.store(forNamespace: "quay.io"), serves: [image, signature], at: name)
        }
    }
}
