import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct RoundTripTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// Some images of every kind, which share some of their layers.
    private func randomImages(seed: UInt64) throws -> NamedImages {
        var generator = SplitMix64(seed: seed)
        let algorithm = Int.random(in: 0..<6, using: &generator) == 0 ? Digest.Algorithm.sha512 : .sha256
        var builder = ImageBuilder(seed: seed, algorithm: algorithm)
        var layers: [TestBlob] = []
        for _ in 0..<6 {
            layers.append(try builder.opaqueLayer(byteCount: Int.random(in: 0...5000, using: &generator)))
        }
        var images: [(String, TestImage)] = []
        for number in 0..<Int.random(in: 1...8, using: &generator) {
            builder.family = Bool.random(using: &generator) ? .oci : .docker
            let some = Array(layers.shuffled(using: &generator).prefix(Int.random(in: 0...4, using: &generator)))
            let image =
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: try builder.multiPlatform(sharing: some, attested: Bool.random(using: &generator))
                case 1: try builder.nestedIndex(levels: Int.random(in: 1...8, using: &generator))
                case 2: try builder.artifact(payload: Array("\(number)".utf8))
                case 3: try builder.image(layers: some + [builder.foreignLayer()])
                default: try builder.image(layers: some)
                }
            let isTagged = Bool.random(using: &generator)
            images.append(("r.example/app/\(number)" + (isTagged ? ":v\(number)" : "@\(image.digest)"), image))
        }
        return NamedImages(images)
    }

    @Test(arguments: 0..<40)
    func `what is written is what is read`(seed: UInt64) throws {
        let images = try randomImages(seed: seed)
        let path = scratch.path("bundle.tar")
        try images.write(to: path)
        let reader = try LayoutReader(path: path)
        let plan = try images.plan
        #expect(reader.problems.isEmpty)
        #expect(reader.unnamed.isEmpty)
        #expect(reader.byteCount == plan.byteCount)
        #expect(reader.images.map(\.name) == plan.images.map(\.name))
        #expect(reader.images.map(\.descriptor.digest) == plan.images.map(\.descriptor.digest))
        #expect(reader.documents.mapValues(\.bytes) == (try images.documents.mapValues(\.bytes)))
        #expect(reader.blobs.map(\.digest) == plan.blobs.map(\.descriptor.digest))
        for (digest, content) in try images.allBytes {
            let range = try #require(reader.range(of: digest))
            #expect(try bytes(of: path, in: range) == content)
            #expect(try reader.bytes(of: digest, limit: content.count) == content)
        }
        for blob in reader.blobs { try reader.verify(blob) }
    }

    @Test func `two runs give the same bytes`() throws {
        try randomImages(seed: 99).write(to: scratch.path("one.tar"))
        try randomImages(seed: 99).write(to: scratch.path("two.tar"))
        #expect(try scratch.read("one.tar") == scratch.read("two.tar"))
    }

    @Test func `a bundle of nothing is a layout`() throws {
        try NamedImages([]).write(to: scratch.path("bundle.tar"))
        let reader = try LayoutReader(path: scratch.path("bundle.tar"))
        #expect(reader.images.isEmpty)
        #expect(reader.problems.isEmpty)
    }
}
