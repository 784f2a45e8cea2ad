import TestSupport
import Testing

/// Memory depends on how much is moved at once, not on how large a layer is.
@Suite(.disabled(if: Sanitizer.current != nil, "the memory is mostly the sanitizer's")) struct MemoryTests {
    /// The most memory of a bundle, of the push of it, whole and in chunks, of a copy of what it has, of a bundle made of
    /// it, and of its verification, of one image with one layer.
    private func peaks(layerByteCount: Int64) async throws -> [Int64] {
        let (terminal, source, target) = (try Terminal(), try DockerRegistry(), try DockerRegistry())
        let (other, third) = (try DockerRegistry(), try DockerRegistry())
        try BenchImages.writeLarge(byteCount: layerByteCount, to: source.storage)
        return [
            try await peak(
                ["bundle", "\(source.address)/bench/large:1", "-o", "bundle.tar", "--ranges", "1"],
                terminal
            ),
            try await peak(["push", "bundle.tar", target.address], terminal),
            try await peak(["push", "bundle.tar", other.address, "--chunk-size", "8MiB"], terminal),
            try await peak(["copy", "\(source.address)/bench/large:1", third.address], terminal),
            try await peak(["bundle", "--from", "bundle.tar", "-o", "again.tar"], terminal),
            try await peak(["verify", "bundle.tar"], terminal),
            try await peak(["verify", "--deep", "bundle.tar"], terminal),
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
    private func peak(_ arguments: [String], _ terminal: Terminal, status: Int32 = 0) async throws -> Int64 {
        var command = terminal.command(arguments)
        command.arguments = ["-f", "%M", "-o", terminal.scratch.path("peak"), command.tool] + command.arguments
        command.tool = "time"
        let outcome = try await command.run()
        #expect(outcome.status == status, "\(outcome.errorText)")
        let text = String(decoding: try terminal.scratch.read("peak"), as: UTF8.self)
        // Before it, a line of its own says that the exit code was not 0.
        let line = try #require(text.split(separator: "\n").last)
        return try #require(Int64(line)) * 1024
    }

    /// More than a gibibyte of zeros in gzip; the largest window that zstd has; one that is larger; and what is too much.
    @Test func `what comes of a layer takes little memory`() async throws {
        var builder = ImageBuilder(seed: 830)
        let (terminal, source) = (try Terminal(), try Source())
        let zstd = { (bytes: [UInt8]) in try builder.layer(bytes: bytes, "tar+zstd", content: [1]) }
        // The content of the last three is not what is said, which is not the point here.
        let cases: [(layer: TestBlob, status: Int32, limit: Int64)] = [
            (try builder.zerosLayer(mebibytes: 1280), 0, 48 << 20),
            (try zstd(Zstd.zeros(count: 4000, windowLog: 27)), 3, 176 << 20),
            (try zstd(Zstd.zeros(count: 4000, windowLog: 31)), 3, 48 << 20),
            (try zstd(Zstd.zeros(count: 16_000)), 3, 48 << 20),
        ]
        for (number, expected) in cases.enumerated() {
            let name = try source.add(builder.image(layers: [expected.layer]), "image\(number)")
            try await terminal.succeed("bundle", name, "-o", "\(number).tar")
            let peak = try await peak(["verify", "--deep", "\(number).tar"], terminal, status: expected.status)
            #expect(peak < expected.limit, "\(number)")
        }
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
