import Archive
import ImageLayout
import OCI
import TestSupport
import Testing

/// What layers hold, held against what manifests and configs say.
@Suite struct LayerClaimTests {
    private let scratch: ScratchDirectory
    private var builder = ImageBuilder(seed: 800)
    private let content = TarBytes.archive([.init("etc/motd", RandomBytes.make(count: 5000, seed: 3))])

    init() throws { scratch = try ScratchDirectory() }

    private func reader(_ images: TestImage...) throws -> LayoutReader {
        let named = NamedImages(images.enumerated().map { ("docker.io/library/\($0):1", $1) })
        let path = scratch.path("\(images[0].digest.hex).tar")
        try named.write(to: path)
        return try LayoutReader(path: path)
    }

    /// What is wrong: with the configs, and then with the layers in the order of the file.
    private func problems(_ reader: LayoutReader) throws -> [LayoutError.Code] {
        let claims = try reader.layerClaims()
        return try claims.problems
            + reader.blobs.filter { claims.concern($0.digest) }.flatMap {
                try reader.verify($0, claims: claims) { _ in }.problems
            }
    }

    private func config(_ image: TestImage) throws -> Digest { try #require(image.config).digest }

    /// How a layer's type ends, and how its content is packed.
    static let forms: [(String, @Sendable ([UInt8]) throws -> [UInt8])] = [
        ("tar+gzip", { try Gzip.compress($0) }), ("tar.gzip", { try Gzip.compress($0) }),
        ("tar+zstd", { try Zstd.compress($0) }), ("tar.zstd", { try Zstd.compress($0) }), ("tar", { $0 }),
        // As parallel and seekable compressors do it.
        ("tar+gzip", { try Gzip.compress(Array($0.prefix(700))) + Gzip.compress(Array($0.dropFirst(700))) }),
        ("tar+zstd", { try Zstd.skipped + Zstd.compress(Array($0.prefix(9))) + Zstd.compress(Array($0.dropFirst(9))) }),
    ]

    @Test(arguments: Digest.Algorithm.allCases)
    func `a layer that holds what it should is found good, in every form`(algorithm: Digest.Algorithm) throws {
        for (suffix, pack) in Self.forms {
            var builder = ImageBuilder(seed: 801, algorithm: algorithm)
            let layer = try builder.layer(bytes: pack(content), suffix, content: content)
            let reader = try reader(builder.image(layers: [layer]))
            let claims = try reader.layerClaims()
            #expect(claims.concern(layer.digest))
            var (read, calls): (Int64, Int) = (0, 0)
            let findings = try reader.verify(layer.descriptor, claims: claims) {
                read += $0
                calls += 1
            }
            #expect(findings.problems == [], "\(suffix)")
            #expect(findings.byteCount == Int64(content.count))
            // Read once, and heard of for what came of it too.
            #expect(read == layer.descriptor.size)
            #expect(calls >= (suffix == "tar" ? 1 : 2))
        }
    }

    @Test mutating func `a layer that holds something else is told, with what the config says and what it is`() throws {
        let other = content + [UInt8](repeating: 0, count: 512)
        for (suffix, pack) in Self.forms {
            let image = try builder.image(layers: [builder.layer(bytes: pack(content), suffix, content: other)])
            let expected = LayoutError.Code.wrongContent(
                layer: image.layers[0].digest,
                config: try config(image),
                expected: try Digest.of(other),
                actual: try Digest.of(content)
            )
            #expect(try problems(reader(image)) == [expected], "\(suffix)")
        }
    }

    @Test mutating func `a layer that does not decompress is told, also where nothing is known of its content`() throws
    {
        for (suffix, pack) in Self.forms.prefix(4) {
            let broken = Array(try pack(content).dropLast(3))
            let layer = try builder.layer(bytes: broken, suffix, content: content)
            for configBytes in [nil, Array("{".utf8)] {
                let image = try builder.image(layers: [layer], configBytes: configBytes)
                let found = try problems(reader(image))
                guard case .brokenLayer(layer.digest, let error) = found.last else {
                    Issue.record("\(found)")
                    continue
                }
                #expect(error.cause.hasPrefix("it does not decompress with "))
                #expect(found.count == (configBytes == nil ? 1 : 2))
            }
        }
    }

    /// What a layer is said to be and what it is.
    @Test(
        arguments: [
            ("tar+gzip", "tar+zstd", .gzip, .zstd), ("tar+zstd", "tar+gzip", .zstd, .gzip),
            ("tar+gzip", "tar", .gzip, nil),
            ("tar+zstd", "tar", .zstd, nil), ("tar", "tar+gzip", nil, .gzip), ("tar", "tar+zstd", nil, .zstd),
        ] as [(String, String, Compression?, Compression?)]
    )
    func `a layer that is packed in another way than is said is told`(
        said: String,
        form: String,
        declared: Compression?,
        actual: Compression?
    ) throws {
        var builder = builder
        let pack = try #require(Self.forms.first { $0.0 == form }).1
        let image = try builder.image(layers: [builder.layer(bytes: pack(content), said, content: content)])
        let expected = LayoutError.Code.wrongCompression(
            layer: image.layers[0].digest,
            manifest: image.digest,
            declared: declared,
            actual: actual
        )
        #expect(try problems(reader(image)) == [expected])
    }

    @Test mutating func `a plain layer that begins as something compressed does is good if its digest is`() throws {
        for beginning: [UInt8] in [[0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]] {
            let bytes = beginning + content
            let image = try builder.image(layers: [builder.layer(bytes: bytes, "tar", content: bytes)])
            #expect(try problems(reader(image)) == [])
        }
    }

    @Test mutating func `a layer of many images is held against what each says`() throws {
        let packed = try Gzip.compress(content)
        let (one, two) = (content + [1], content + [2])
        let images = [
            try builder.image(layers: [builder.layer(bytes: packed, content: content)]),
            try builder.image(layers: [builder.layer(bytes: packed, content: one)]),
            try builder.image(layers: [builder.layer(bytes: packed, content: two)]),
            try builder.image(layers: [builder.layer(bytes: packed, "tar+zstd", content: content)]),
        ]
        let reader = try reader(images[0], images[1], images[2], images[3])
        let (layer, actual) = (images[0].layers[0].digest, try Digest.of(content))
        let expected: Set<LayoutError.Code> = [
            .wrongContent(layer: layer, config: try config(images[1]), expected: try Digest.of(one), actual: actual),
            .wrongContent(layer: layer, config: try config(images[2]), expected: try Digest.of(two), actual: actual),
            .wrongCompression(layer: layer, manifest: images[3].digest, declared: .zstd, actual: .gzip),
        ]
        let found = try problems(reader)
        #expect(Set(found) == expected)
        // Each with the images that it is about, and no others.
        let errors = try reader.errors(of: found)
        #expect(errors.allSatisfy { $0.images.count == 1 && $0.isContentDamage })
        #expect(Set(errors.flatMap(\.images)) == Set((1...3).map { "docker.io/library/\($0):1" }))
    }

    @Test mutating func `bytes that are not the layer's are that and nothing else`() throws {
        let layer = try builder.layer(bytes: Gzip.compress(content), content: content + [1])
        let named = NamedImages([("docker.io/library/a:1", try builder.image(layers: [layer]))])
        var files = try layoutFiles(named)
        let place = try #require(files.firstIndex { $0.0 == blobPath(layer.digest) })
        files[place].1[20] ^= 1
        let reader = try LayoutReader(path: scratch.write(handmadeBundle(files), to: "x.tar"))
        let error = try #require(throws: LayoutError.self) { try problems(reader) }
        #expect(error.code == .wrongDigest(expected: layer.digest, actual: try Digest.of(files[place].1)))
    }
}
