import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What other programs write that a bundle never has: indexes of which only a part is there, and names that are none.
@Suite struct OthersLayoutTests {
    private let scratch: ScratchDirectory
    private var builder = ImageBuilder(seed: 1220)

    init() throws { scratch = try ScratchDirectory() }

    private var path: String { scratch.path("bundle.tar") }

    private func write(
        _ image: TestImage,
        annotations: String,
        without left: [TestImage] = [],
        _ blobs: [TestBlob] = []
    ) throws -> LayoutReader {
        var files = try layoutFiles(NamedImages([("x:1", image)]))
        let top = image.top
        let entry = #"{"mediaType":"\#(top.mediaType)","digest":"\#(top.digest)","size":\#(top.size)\#(annotations)}"#
        files[1].1 = Array(#"{"schemaVersion":2,"manifests":[\#(entry)]}"#.utf8)
        let missing = left.flatMap { [$0.digest] + $0.blobs.map(\.digest) } + blobs.map(\.digest)
        let digests = Set(missing.map(blobPath))
        try scratch.write(handmadeBundle(files.filter { !digests.contains($0.0) }), to: "bundle.tar")
        return try LayoutReader(path: path)
    }

    /// As `docker save` writes it where images are kept by containerd: the index whole, of its platforms one.
    @Test mutating func `of an index of another program a part is enough`() throws {
        let image = try builder.multiPlatform(attested: true)
        let names =
            #","annotations":{"io.containerd.image.name":"r.example/app:1","org.opencontainers.image.ref.name":"1"}"#
        let reader = try write(image, annotations: names, without: Array(image.children.dropFirst()))
        #expect(reader.problems.isEmpty)
        let subset = try #require(reader.images.first?.subset)
        #expect(subset.platforms.map(\.description) == ["linux/amd64"])
        #expect(reader.images.map(\.isSparse) == [true])
        #expect(reader.missingPlatforms["r.example/app:1"]?.map(\.description) == ["linux/arm64/v8"])
        // Of what is there, nothing may be missing.
        let layer = image.children[0].layers[0]
        let damaged = try write(
            image,
            annotations: names,
            without: Array(image.children.dropFirst()),
            [layer]
        )
        #expect(damaged.problems.map(\.code) == [.missing(layer.digest)])
    }

    /// A bundle could not say which of the two is there.
    @Test mutating func `one of two for the same platform is damage`() throws {
        let image = try builder.multiPlatform([ImageBuilder.linuxAMD64, ImageBuilder.linuxAMD64])
        let reader = try write(image, annotations: "", without: [image.children[1]])
        #expect(reader.problems.map(\.code) == [.missing(image.children[1].digest)])
    }

    @Test mutating func `in a bundle of ours it is damage`() throws {
        let image = try builder.multiPlatform()
        let names =
            #","annotations":{"io.containerd.image.name":"r.example/app:1","org.opencontainers.image.ref.name":"r.example/app:1"}"#
        let reader = try write(image, annotations: names, without: [image.children[1]])
        #expect(reader.problems.map(\.code) == [.missing(image.children[1].digest)])
        #expect(reader.images.map(\.isSparse) == [false])
    }

    @Test mutating func `an index of which nothing is there is damage`() throws {
        let image = try builder.multiPlatform()
        let reader = try write(image, annotations: "", without: image.children)
        #expect(Set(reader.problems.map(\.code)) == Set(image.children.map { .missing($0.digest) }))
    }

    /// What the entries are called, what `--name` says, and what they are called then.
    @Test(
        arguments: [
            (["3.20"], "alpine", ["docker.io/library/alpine:3.20"]),
            (["3.20", "3.21"], "r.example/app:9", ["r.example/app:3.20", "r.example/app:3.21"]),
            ([nil], "r.example/app:9", ["r.example/app:9"]),
            ([nil], "r.example/app", ["r.example/app:latest"]),
            (["r.example/full:1", nil], "r.example/app:9", ["r.example/full:1", "r.example/app:9"]),
            (["full:1"], "r.example/app", ["full:1"]),
        ] as [([String?], String, [String])]
    )
    func `images without a whole name are named`(names: [String?], name: String, result: [String]) throws {
        var builder = ImageBuilder(seed: 1221)
        let images = try names.map { _ in try builder.image() }
        let entries = zip(names, images).map { name, image in
            let annotations = name.map { #","annotations":{"org.opencontainers.image.ref.name":"\#($0)"}"# } ?? ""
            return
                #"{"mediaType":"\#(image.top.mediaType)","digest":"\#(image.digest)","size":\#(image.top.size)\#(annotations)}"#
        }
        var files = try layoutFiles(NamedImages(images.map { ("x", $0) }))
        files[1].1 = Array(#"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#.utf8)
        try scratch.write(handmadeBundle(files), to: "bundle.tar")
        let reader = try LayoutReader(path: path, naming: ImageNaming(try Reference(parsing: name)))
        #expect(reader.images.map(\.name) == result)
        #expect(reader.unnamed.isEmpty)
    }

    @Test func `of several without any name none can have the one that is given`() throws {
        var builder = ImageBuilder(seed: 1222)
        let images = NamedImages([("a", try builder.image()), ("b", try builder.image())])
        try scratch.write(handmadeBundle(try layoutFiles(images, names: false)), to: "bundle.tar")
        let reader = try LayoutReader(path: path, naming: ImageNaming(try Reference(parsing: "r.example/app:9")))
        #expect(reader.images.map(\.name) == images.images.map { "r.example/app@\($0.image.digest)" })
    }
}
