import TestSupport
import Testing

/// `drayage push` into registries that take no large body.
@Suite struct ChunkSizeTests {
    private let terminal: Terminal
    private let target: DockerRegistry
    private let image: TestImage

    init() async throws {
        (terminal, target) = (try Terminal(), try DockerRegistry())
        let source = try Source()
        var builder = ImageBuilder(seed: 230)
        image = try builder.image(layers: [try builder.opaqueLayer(byteCount: 5_000_000)])
        try await terminal.succeed("bundle", try source.add(image, "app"), "-o", "bundle.tar")
    }

    /// The sizes of the bodies that have a part of the layer, by their method.
    private func bodies(of proxy: FaultProxy) -> [String] {
        proxy.exchanges.map(\.request).filter { ["PUT", "PATCH"].contains($0.method) }
            .map { "\($0.method) \($0.header("Content-Length") ?? "")" }.filter { $0.count > 9 }
    }

    @Test(arguments: [
        ("2MiB", [2_097_152, 2_097_152, 805_696]), ("2M", [2_000_000, 2_000_000, 1_000_000]),
        ("2mb", [2_000_000, 2_000_000, 1_000_000]), ("2500KiB", [2_560_000, 2_440_000]),
        ("4000000", [4_000_000, 1_000_000]),
    ])
    func `a blob goes in chunks of the chosen size`(text: String, sizes: [Int]) async throws {
        let proxy = try FaultProxy(to: target.address)
        try await terminal.succeed("push", "bundle.tar", proxy.address, "--chunk-size", text)
        #expect(bodies(of: proxy) == sizes.map { "PATCH \($0)" })
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == image.digest)
    }

    @Test(arguments: ["5000000", "1G", "1GiB"]) func `a blob that is not larger goes whole`(text: String) async throws {
        let proxy = try FaultProxy(to: target.address)
        try await terminal.succeed("push", "bundle.tar", proxy.address, "--chunk-size", text)
        #expect(bodies(of: proxy) == ["PUT 5000000"])
    }

    @Test func `what a proxy refuses goes in smaller pieces by itself`() async throws {
        let proxy = try FaultProxy(to: target.address) { request, _ in
            request.header("Content-Length").flatMap { Int($0) } ?? 0 > 1_300_000 ? .tooLarge : nil
        }
        try await terminal.succeed("push", "bundle.tar", proxy.address)
        #expect(bodies(of: proxy) == ["PUT 5000000", "PATCH 2500000"] + Array(repeating: "PATCH 1250000", count: 4))
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == image.digest)
    }

    @Test func `where no size is small enough, the limit is told`() async throws {
        let proxy = try FaultProxy(to: target.address) { request, _ in
            request.header("Content-Length").flatMap { Int($0) } ?? 0 > 100_000 ? .tooLarge : nil
        }
        let outcome = try await terminal.drayage("push", "bundle.tar", proxy.address)
        #expect(outcome.status == 1)
        let words = ["answered 413", "a body of 1048576 bytes is too large there", "the proxy before the registry"]
        for word in words { #expect(outcome.errorText.contains(word), "\(outcome.errorText)") }
        #expect(target.storage.tags(repository: "app") == [])
    }
}
