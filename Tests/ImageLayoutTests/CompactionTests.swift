import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct CompactionTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// Fills a bundle, drops images, and compares with a bundle that never had them.
    private func check(_ images: NamedImages, keeping kept: [String]) throws {
        let remaining = NamedImages(images.images.filter { kept.contains($0.name) }.map { ($0.name, $0.image) })
        let (plan, smaller) = (try images.plan, try remaining.plan)
        let path = scratch.path("compacted.tar")
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: true)
        try images.fill(writer, plan)
        try writer.compact(to: smaller)
        try writer.seal()
        unlink(scratch.path("expected.tar"))
        try remaining.write(to: scratch.path("expected.tar"))
        #expect(try scratch.read("compacted.tar") == scratch.read("expected.tar"), "\(kept)")
    }

    @Test func `dropping any of four images gives the bundle that never had them`() throws {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.opaqueLayer(byteCount: 3_000_001)
        // Larger than the pieces in which bytes are moved, and moved by less than their own length.
        let large = try builder.opaqueLayer(byteCount: 2_500_000)
        let images = try NamedImages([
            ("r.example/a:1", builder.image(layers: [shared, builder.opaqueLayer(byteCount: 10)])),
            ("r.example/b:1", builder.multiPlatform(sharing: [shared], attested: true)),
            ("r.example/c:1", builder.artifact()), ("r.example/d:1", builder.image(layers: [large])),
        ])
        let names = images.images.map(\.name)
        for pattern in 1..<16 {
            try check(images, keeping: names.indices.filter { pattern & 1 << $0 != 0 }.map { names[$0] })
        }
    }

    @Test(arguments: 0..<8)
    func `a blob that changes its group is moved to where it belongs`(seed: UInt64) throws {
        var builder = ImageBuilder(seed: seed)
        // What is the config of one image, or its manifest, is a layer of the other.
        let artifact = try builder.artifact(payload: Array("payload \(seed)".utf8))
        let config = try #require(artifact.config)
        let other = try builder.image(layers: [builder.opaqueLayer(byteCount: 1_200_000)])
        let otherConfig = try #require(other.config)
        let manifest = try TestBlob(bytes: artifact.document.bytes, mediaType: .ociManifest)
        let layers = [try builder.opaqueLayer(byteCount: 1_500_000), config, manifest, otherConfig]
        let image = try builder.image(layers: layers + [builder.opaqueLayer(byteCount: 700)])
        let images = NamedImages([("r.example/a:1", artifact), ("r.example/b:1", other), ("r.example/z:1", image)])
        try check(images, keeping: ["r.example/z:1"])
        try check(images, keeping: ["r.example/a:1", "r.example/z:1"])
        try check(images, keeping: ["r.example/b:1", "r.example/z:1"])
    }

    @Test func `a plan with other content is refused`() throws {
        var builder = ImageBuilder(seed: 3)
        let images = try NamedImages([("r.example/a:1", builder.image())])
        let other = try NamedImages([("r.example/b:1", builder.image())]).plan
        let path = scratch.path("bundle.tar")
        let writer = try LayoutWriter(plan: images.plan, path: path, replaceExisting: false)
        defer { writer.abandon() }
        let error = try #require(throws: LayoutError.self) { try writer.compact(to: other) }
        #expect(error.code == .notPlanned(try #require(other.blobs.first).descriptor.digest))
    }

    @Test func `compacting twice is compacting once`() throws {
        var builder = ImageBuilder(seed: 4)
        let (one, other) = (try builder.image(), try builder.image())
        let images = NamedImages([("r.example/a:1", one), ("r.example/b:1", other)])
        let smaller = try NamedImages([("r.example/b:1", other)]).plan
        let path = scratch.path("bundle.tar")
        let plan = try images.plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        try images.fill(writer, plan)
        try writer.compact(to: smaller)
        // Compacting to what it is already changes nothing.
        try writer.compact(to: smaller)
        try writer.seal()
        let reader = try LayoutReader(path: path)
        #expect(reader.images.map(\.name) == ["r.example/b:1"])
        #expect(reader.byteCount == smaller.byteCount)
        for blob in reader.blobs { try reader.verify(blob) }
    }
}
