import OCI
import TestSupport
import Testing

@Suite struct VerifyCommandTests {
    private let terminal: Terminal
    private let image: TestImage

    init() async throws {
        terminal = try Terminal()
        let source = try Source()
        var builder = ImageBuilder(seed: 230)
        image = try builder.image(layers: [builder.opaqueLayer(byteCount: 1_500_000)])
        try await terminal.succeed("bundle", try source.add(image, "app"), "-o", "bundle.tar")
    }

    @Test func `a whole bundle is verified`() async throws {
        expect(
            try await terminal.drayage("verify", "bundle.tar"),
            status: 0,
            errors: "2 blobs, 1.50 MB to go\nbundle.tar: 1 image, 2 blobs, 1.50 MB, all verified\n"
        )
        expect(try await terminal.drayage("verify", "bundle.tar", "-q"), status: 0, errors: "")
    }

    @Test func `a registry is held against the bundle`() async throws {
        let target = try Source()
        expect(
            try await terminal.drayage("verify", "bundle.tar", "--at", target.address),
            status: 3,
            errors: """
                error: \(target.address)/app:1 is missing; the bundle has it with \(image.digest)
                error: the blob \(target.address)/app@\(image.blobs[0].digest) is missing; needed by \(target.address)/app:1
                error: the blob \(target.address)/app@\(image.blobs[1].digest) is missing; needed by \(target.address)/app:1
                verify failed: 3 failures

                """
        )
        try await terminal.succeed("push", "bundle.tar", "\(target.address)/p")
        expect(
            try await terminal.drayage("verify", "bundle.tar", "--at", "\(target.address)/p"),
            status: 0,
            errors: "\(target.address)/p: 1 image, all verified\n"
        )
    }

    @Test func `a flipped byte ends with 3 and names the blob and who needs it`() async throws {
        var bytes = try terminal.scratch.read("bundle.tar")
        let entries = TarBytes.entries(of: bytes)
        let layer = try #require(entries.last)
        bytes[layer.range.lowerBound + 700_000] ^= 1
        try terminal.scratch.write(bytes, to: "bundle.tar")
        let outcome = try await terminal.drayage("verify", "bundle.tar", "--json")
        #expect(outcome.status == 3)
        let report = try ReportDocument(outcome.output)
        #expect(report.outcome == "failed")
        #expect(report.images.map(\.status) == ["failed"])
        let digest = "\(image.layers[0].digest)"
        #expect(report.failures.map(\.subject) == [digest])
        let actual = try Digest.of(Array(bytes[layer.range]))
        #expect(report.failures.map(\.message) == ["reading bundle.tar: what should be \(digest) is \(actual)"])
        #expect(
            outcome.errorText.hasSuffix(
                "error: reading bundle.tar: what should be \(digest) is \(actual)\nverify failed: 1 failure\n"
            )
        )
    }
}
