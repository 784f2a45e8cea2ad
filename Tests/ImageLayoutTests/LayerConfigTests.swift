import ImageLayout
import OCI
import TestSupport
import Testing

/// Which layers are held against which part of which config.
@Suite struct LayerConfigTests {
    private let scratch: ScratchDirectory
    private var builder = ImageBuilder(seed: 810)

    init() throws { scratch = try ScratchDirectory() }

    private func reader(_ image: TestImage, without missing: Digest? = nil) throws -> LayoutReader {
        let files = try layoutFiles(NamedImages([("docker.io/library/a:1", image)]))
        let kept = files.filter { file in missing.map { file.0 != blobPath($0) } ?? true }
        return try LayoutReader(path: scratch.write(handmadeBundle(kept), to: "x.tar"))
    }

    private func problems(_ reader: LayoutReader) throws -> [LayoutError.Code] {
        let claims = try reader.layerClaims()
        return try claims.problems
            + reader.blobs.filter { claims.concern($0.digest) }.flatMap {
                try reader.verify($0, claims: claims) { _ in }.problems
            }
    }

    private func packed(_ text: String, said: String? = nil) throws -> TestBlob {
        try builder.layer(bytes: Gzip.compress(Array(text.utf8)), content: Array((said ?? text).utf8))
    }

    @Test(arguments: ImageBuilder.Family.allCases)
    func `a layer that is elsewhere keeps its place`(family: ImageBuilder.Family) throws {
        var builder = ImageBuilder(seed: 811, family: family)
        let (first, last) = (try builder.layer(), try builder.layer())
        let image = try builder.image(layers: [first, builder.foreignLayer(), last])
        let reader = try reader(image)
        #expect(try problems(reader) == [])
        let claims = try reader.layerClaims()
        #expect(claims.concern(first.digest) && claims.concern(last.digest))
    }

    @Test mutating func `layers in another order than the config has them are told`() throws {
        let (one, two) = (try packed("one", said: "two"), try packed("two", said: "one"))
        let found = try problems(reader(builder.image(layers: [one, two])))
        #expect(found.count == 2)
        #expect(
            found.allSatisfy {
                if case .wrongContent = $0 { true } else { false }
            }
        )
    }

    @Test mutating func `one layer may be there several times`() throws {
        let layer = try packed("empty")
        #expect(try problems(reader(builder.image(layers: [layer, packed("one"), layer, layer]))) == [])
    }

    @Test mutating func `a config of another number of layers is told, and the layers are decompressed`() throws {
        let broken = try builder.layer(bytes: [0x1f, 0x8b, 8], content: [])
        let diffID = "\"\(broken.digest)\""
        for (layers, diffIDs) in [([broken], ""), ([broken, broken], diffID), ([], diffID)] {
            let config = #"{"rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}}"#
            let image = try builder.image(layers: layers, configBytes: Array(config.utf8))
            let found = try problems(reader(image))
            let expected = LayoutError.Code.wrongLayerCount(
                manifest: image.digest,
                config: try #require(image.config).digest,
                layers: layers.count,
                diffIDs: diffIDs.isEmpty ? 0 : 1
            )
            #expect(found.first == expected)
            #expect(found.count == (layers.isEmpty ? 1 : 2))
        }
    }

    @Test mutating func `a config that cannot be read is told`() throws {
        let image = try builder.image(configBytes: Array("no JSON".utf8))
        let expected = DocumentError(.unreadableConfig(reason: "it is not JSON"))
        #expect(try problems(reader(image)) == [.invalidDocument(try #require(image.config).digest, expected)])
    }

    @Test mutating func `a config that is too large is told`() throws {
        let bytes = Array(("{}" + String(repeating: " ", count: ImageConfig.byteLimit)).utf8)
        let image = try builder.image(configBytes: bytes)
        let expected = DocumentError(.configTooLarge(byteCount: bytes.count))
        #expect(try problems(reader(image)) == [.invalidDocument(try #require(image.config).digest, expected)])
    }

    @Test mutating func `a config that is missing is told once, and the layers are decompressed all the same`() throws {
        let layer = try builder.layer(bytes: [0x1f, 0x8b, 8], content: [])
        let image = try builder.image(layers: [layer])
        let config = try #require(image.config).digest
        let reader = try reader(image, without: config)
        #expect(reader.problems.map(\.code) == [.missing(config)])
        let found = try problems(reader)
        guard case .brokenLayer(layer.digest, _) = found.first, found.count == 1 else {
            Issue.record("\(found)")
            return
        }
    }

    @Test mutating func `an attestation's layer is what its config says`() throws {
        let image = try builder.image()
        #expect(try problems(reader(builder.index(of: [image, builder.attestation(of: image)]))) == [])
    }

    @Test mutating func `what only looks like an image is none`() throws {
        // Signatures and charts of some tools have an image's config that says nothing, and layers of their own types.
        let payload = try TestBlob(
            bytes: [1, 2, 3],
            mediaType: MediaType(rawValue: "application/vnd.example.signature")
        )
        let image = try builder.image(layers: [payload], configBytes: Array("{}".utf8))
        #expect(try problems(reader(image)) == [])
        #expect(try !reader(image).layerClaims().concern(payload.digest))
    }

    /// The types of an artifact's payload, and whether it is decompressed.
    @Test(arguments: [
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", true), ("application/vnd.example.rules+zstd", true),
        ("application/vnd.docker.plugin.v1.tar.gzip", true), ("application/octet-stream", false),
        ("application/vnd.example.gzip", false),
    ])
    func `of an artifact only the compression counts`(type: String, isDecompressed: Bool) throws {
        let mediaType = MediaType(rawValue: type)
        let broken = try TestBlob(bytes: Zstd.zeros(count: 1).dropLast() + [], mediaType: mediaType)
        let found = try problems(reader(ImageBuilder().artifact(layer: broken)))
        #expect(found.count == (isDecompressed ? 1 : 0), "\(found)")
        let content = Array("a chart".utf8)
        let whole = try TestBlob(
            bytes: type.hasSuffix("zstd") ? Zstd.compress(content) : Gzip.compress(content),
            mediaType: mediaType
        )
        #expect(try problems(reader(ImageBuilder().artifact(layer: whole))) == [])
    }

    @Test mutating func `an encrypted layer is left alone, and said to be`() throws {
        let secret = try builder.layer(bytes: [1, 2, 3], "tar+gzip+encrypted", content: Array("secret".utf8))
        let reader = try reader(builder.image(layers: [secret, packed("open")]))
        #expect(try reader.layerClaims().encrypted == [secret.digest])
        #expect(try problems(reader) == [])
    }

    @Test func `putting together can be ended`() throws {
        struct Stop: Error {}
        var builder = builder
        let reader = try reader(builder.image())
        #expect(throws: Stop.self) { try reader.layerClaims { throw Stop() } }
    }
}
