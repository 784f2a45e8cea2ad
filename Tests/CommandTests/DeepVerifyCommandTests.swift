import OCI
import TestSupport
import Testing

/// `drayage verify --deep` as its user meets it.
@Suite struct DeepVerifyCommandTests {
    private let terminal: Terminal
    private let source: Source
    private var builder = ImageBuilder(seed: 840)
    private let content = TarBytes.archive([.init("etc/motd", RandomBytes.make(count: 100_000, seed: 6))])

    init() throws { (terminal, source) = (try Terminal(), try Source()) }

    /// Bundles an image with one layer.
    private mutating func bundle(_ layer: TestBlob, configBytes: [UInt8]? = nil) async throws -> (String, TestImage) {
        let image = try builder.image(layers: [layer], configBytes: configBytes)
        let name = try source.add(image, "app")
        try await terminal.succeed("bundle", name, "-o", "bundle.tar", "--force")
        return (name, image)
    }

    /// Verifies `bundle.tar`, which is nothing but what its digests say, and expects one error.
    private func expectDamage(_ message: String, _ location: SourceLocation = #_sourceLocation) async throws {
        try await terminal.succeed("verify", "bundle.tar")
        let outcome = try await terminal.drayage("verify", "--deep", "bundle.tar", "-q")
        let errors = "error: reading bundle.tar: \(message)\n"
        expect(outcome, status: 3, errors: errors, location)
    }

    @Test mutating func `a whole bundle is verified, and it is said how far`() async throws {
        let layers = [
            try builder.layer(bytes: Gzip.compress(content), content: content),
            try builder.layer(bytes: Zstd.compress(content), "tar+zstd", content: content),
            try builder.layer(bytes: content, "tar", content: content),
        ]
        try await terminal.succeed("bundle", source.add(builder.image(layers: layers), "app"), "-o", "bundle.tar")
        let outcome = try await terminal.drayage("verify", "--deep", "bundle.tar", "--json")
        #expect(outcome.status == 0)
        #expect(
            outcome.errorText.hasSuffix(
                "bundle.tar: 1 image, 4 blobs, 303 kB, all verified, with the content of 3 layers (306 kB)\n"
            ),
            "\(outcome.errorText)"
        )
        let report = try ReportDocument(outcome.output)
        #expect(report.outcome == "done")
        #expect(report.totals?.layerCount == 3)
        #expect(report.totals?.layerByteCount == Int64(3 * content.count))
        let shallow = try await terminal.succeed("verify", "bundle.tar", "--json")
        #expect(try ReportDocument(shallow.output).totals?.layerCount == nil)
    }

    @Test mutating func `a layer that is not what the config says ends with 3`() async throws {
        let (name, image) = try await bundle(builder.layer(bytes: Gzip.compress(content), content: [1]))
        let (layer, config) = (image.layers[0].digest, try #require(image.config).digest)
        let message = """
            the content of the layer \(layer) should be \(try Digest.of([1])), as the config \(config) says, \
            and is \(try Digest.of(content)), needed by \(name)
            """
        try await expectDamage(message)
        let outcome = try await terminal.drayage("verify", "--deep", "bundle.tar", "--json")
        #expect(outcome.status == 3)
        let report = try ReportDocument(outcome.output)
        #expect(report.outcome == "failed")
        #expect(report.images.map(\.status) == ["failed"])
        #expect(report.failures.map(\.subject) == ["\(config)"])
        #expect(report.failures.map(\.message) == ["reading bundle.tar: \(message)"])
        #expect(outcome.errorText.hasSuffix("verify failed: 1 failure\n"))
    }

    @Test mutating func `a layer that does not decompress ends with 3`() async throws {
        var flipped = try Gzip.compress(content)
        flipped[50_000] ^= 1
        let cases: [([UInt8], String, String)] = [
            (flipped, "tar+gzip", "gzip (incorrect data check)"),
            (try Gzip.compress(content).dropLast(100) + [], "tar+gzip", "gzip (it ends early)"),
            (
                try Gzip.compress(content) + Array("and more".utf8), "tar+gzip",
                "gzip (after 1 gzip member: incorrect header check)"
            ), (try Zstd.compress(content).dropLast(100) + [], "tar+zstd", "zstd (Truncated zstd input)"),
            (
                Zstd.zeros(count: 3, windowLog: 31), "tar+zstd",
                "zstd (Zstd decompression failed: Frame requires too much memory for decoding)"
            ),
        ]
        for (bytes, suffix, reason) in cases {
            let (name, image) = try await bundle(builder.layer(bytes: bytes, suffix, content: content))
            let layer = image.layers[0].digest
            try await expectDamage("the layer \(layer): it does not decompress with \(reason), needed by \(name)")
        }
    }

    @Test mutating func `a layer that becomes too much ends with 3 and says the limit`() async throws {
        let bomb = Zstd.zeros(count: 100_000)
        let (name, image) = try await bundle(builder.layer(bytes: bomb, "tar+zstd", content: content))
        try await expectDamage(
            """
            the layer \(image.layers[0].digest): it decompresses to more than \(1 << 30 + 1100 * bomb.count) bytes, \
            which is 1 GiB and 1,100 times its own size, needed by \(name)
            """
        )
    }

    @Test mutating func `a layer that is packed in another way than its type says ends with 3`() async throws {
        for (bytes, suffix, said, found) in [
            (try Zstd.compress(content), "tar+gzip", "compressed with gzip", "compressed with zstd"),
            (content, "tar+gzip", "compressed with gzip", "not"),
            (try Gzip.compress(content), "tar", "uncompressed", "compressed with gzip"),
        ] {
            let (name, image) = try await bundle(builder.layer(bytes: bytes, suffix, content: content))
            let layer = image.layers[0].digest
            try await expectDamage(
                "the layer \(layer) is said to be \(said) by the manifest \(image.digest), and is \(found), needed by \(name)"
            )
        }
    }

    @Test mutating func `a config that does not fit its manifest ends with 3`() async throws {
        let layer = try builder.layer(bytes: Gzip.compress(content), content: content)
        let (name, image) = try await bundle(layer, configBytes: Array("{}".utf8))
        let config = try #require(image.config).digest
        try await expectDamage(
            """
            the manifest \(image.digest) and its config \(config) do not have the same number of layers: 1 and 0, \
            needed by \(name)
            """
        )
        let (other, broken) = try await bundle(layer, configBytes: Array("no JSON".utf8))
        try await expectDamage(
            """
            \(try #require(broken.config).digest): the config cannot be read: it is not JSON, needed by \(other)
            """
        )
    }

    @Test func `with a registry it is a mistake`() async throws {
        let outcome = try await terminal.drayage("verify", "--deep", "bundle.tar", "--at", source.address)
        #expect(outcome.status == 64)
        let message = "Error: --deep is for a bundle by itself; a registry is compared by digests\n"
        #expect(outcome.errorText.hasPrefix(message), "\(outcome.errorText)")
        #expect(source.registry.lines == [])
    }

    @Test func `the help shows how`() async throws {
        let help = try await terminal.succeed("verify", "--help").outputText
        #expect(help.contains("drayage verify --deep bundle.tar\n"))
    }
}
