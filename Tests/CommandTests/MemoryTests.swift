import TestSupport
import Testing

/// Memory depends on how much is moved at once, not on how large a layer is.
@Suite struct MemoryTests {
    /// The most memory of a bundle, of the push of it, whole and in chunks, and of its verification, of one image with one
    /// layer.
    private func peaks(layerByteCount: Int64) async throws -> [Int64] {
        let (terminal, source, target) = (try Terminal(), try DockerRegistry(), try DockerRegistry())
        let other = try DockerRegistry()
        try BenchImages.writeLarge(byteCount: layerByteCount, to: source.storage)
        return [
            try await peak(
                ["bundle", "\(source.address)/bench/large:1", "-o", "bundle.tar", "--ranges", "1"],
                terminal
            ),
            try await peak(["push", "bundle.tar", target.address], terminal),
            try await peak(["push", "bundle.tar", other.address, "--chunk-size", "8MiB"], terminal),
            try await peak(["verify", "bundle.tar"], terminal),
        ]
    }

    /// Where one connection brings little there are seven more, each with its buffers, whatever the size of the layer is.
    @Test(arguments: [128 << 20, 256 << 20] as [Int64])
    func `several connections for one layer take little memory`(layerByteCount: Int64) async throws {
        let (terminal, source) = (try Terminal(), try DockerRegistry())
        try BenchImages.writeLarge(byteCount: layerByteCount, to: source.storage)
        // For each connection about 20 MB in a second.
        let proxy = try FaultProxy(to: source.address) { request, _ in
            request.method == "GET" ? .dripping(byteCount: 256 << 10, every: .milliseconds(12)) : nil
        }
        let peak = try await peak(["bundle", "\(proxy.address)/bench/large:1", "-o", "bundle.tar"], terminal)
        #expect(peak < 64 << 20)
        #expect(proxy.exchanges.count { $0.request.header("Range") != nil } > 4)
    }

    /// What `time` says of a run: its child is born small.
    ///
    /// What the system says of a child of ours begins with our own size, which the tests share.
    private func peak(_ arguments: [String], _ terminal: Terminal) async throws -> Int64 {
        var command = terminal.command(arguments)
        command.arguments = ["-f", "%M", "-o", terminal.scratch.path("peak"), command.tool] + command.arguments
        command.tool = "time"
        let outcome = try await command.run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let text = String(decoding: try terminal.scratch.read("peak"), as: UTF8.self)
        return try #require(Int64(text.filter(\.isNumber))) * 1024
    }

    @Test func `a large layer takes no more memory than a small one, and little of it`() async throws {
        let small = try await peaks(layerByteCount: 16 << 20)
        let large = try await peaks(layerByteCount: 256 << 20)
        for (small, large) in zip(small, large) {
            #expect(large < 64 << 20, "\(small) \(large)")
            #expect(large - small < 8 << 20)
        }
    }
}
