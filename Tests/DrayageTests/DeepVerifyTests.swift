import Drayage
import Glibc
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// What layers hold is verified too.
@Suite struct DeepVerifyTests {
    private let workshop: Workshop
    private let source: Source
    private var builder = ImageBuilder(seed: 820)

    init() throws { (workshop, source) = (try Workshop(), try Source()) }

    private func packed(_ content: [UInt8], said: [UInt8]? = nil) throws -> TestBlob {
        try builder.layer(bytes: Gzip.compress(content), content: said ?? content)
    }

    @Test mutating func `whole layers are verified, each once, and counted`() async throws {
        let content = RandomBytes.make(count: 300_000, seed: 5)
        let layers = [
            try packed(content), try builder.layer(bytes: Zstd.compress(content), "tar+zstd", content: content),
            try builder.layer(bytes: content, "tar", content: content),
        ]
        let names = [
            try source.add(builder.image(layers: layers), "a"),
            try source.add(builder.multiPlatform(sharing: layers, attested: true), "b"),
            try source.add(builder.artifact(), "chart"),
        ]
        _ = try await workshop.bundle(names)
        let read = Mutex<Int64>(0)
        let planned = Mutex<Int64>(0)
        let report = try await workshop.verify(deep: true) { event in
            switch event {
            case .planned(_, let byteCount): planned.withLock { $0 = byteCount }
            case .blobAdvanced(_, let byteCount): read.withLock { $0 += byteCount }
            default: break
            }
        }
        #expect(report.outcome == .done)
        #expect(report.failures.isEmpty)
        #expect(report.images.map(\.status) == [.verified, .verified, .verified])
        // The three, one of its own for each platform, and the two attestations; not what the chart holds.
        #expect(report.totals?.layerCount == 3 + 2 + 2)
        #expect(try #require(report.totals?.layerByteCount) > 3 * 300_000)
        // Progress is of the bytes of the file, once.
        #expect(read.withLock { $0 } == planned.withLock { $0 })
        #expect(try await workshop.verify().totals?.layerCount == nil)
    }

    @Test mutating func `all that is wrong is told, each with the images that need it`() async throws {
        let content = Array("what is in it".utf8)
        let shared = try packed(content)
        let broken = try builder.layer(bytes: Gzip.compress(content).dropLast() + [], content: content)
        let images = [
            try builder.image(layers: [shared]), try builder.image(layers: [packed(content, said: [1]), broken]),
            try builder.image(layers: [broken]), try builder.image(configBytes: Array("{".utf8)),
        ]
        let names = try zip(["a", "b", "c", "d"], images).map { try source.add($1, $0) }
        _ = try await workshop.bundle(names)
        let shallow = try await workshop.verify()
        #expect(shallow.outcome == .done)
        let report = try await workshop.verify(deep: true)
        #expect(report.exitStatus == .unverified)
        #expect(report.images.map(\.status) == [.verified, .failed, .failed, .failed])
        let configs = try images.map { try #require($0.config).digest }
        let path = workshop.path()
        let expected = [
            """
            reading \(path): the content of the layer \(shared.digest) should be \(try Digest.of([1])), \
            as the config \(configs[1]) says, and is \(try Digest.of(content)), needed by \(names[1])
            """,
            """
            reading \(path): the layer \(broken.digest): it does not decompress with gzip (it ends early), \
            needed by \(names[1]) and 1 more
            """,
            "reading \(path): \(configs[3]): the config cannot be read: it is not JSON, needed by \(names[3])",
        ]
        #expect(report.failures.map(\.message).sorted() == expected.sorted())
        let subjects = [configs[1], broken.digest, configs[3]].map(\.description)
        #expect(report.failures.map(\.subject).sorted() == subjects.sorted())
    }

    @Test mutating func `a layer that becomes too much is told, with the limit`() async throws {
        let bomb = try builder.layer(bytes: Zstd.zeros(count: 9000), "tar+zstd", content: [])
        _ = try await workshop.bundle([try source.add(builder.image(layers: [bomb]), "bomb")])
        let report = try await workshop.verify(deep: true)
        #expect(report.exitStatus == .unverified)
        let limit = 1 << 30 + 1100 * bomb.descriptor.size
        #expect(report.failures.map(\.subject) == [bomb.digest.description])
        #expect(
            report.failures.first?.message.contains(
                "it decompresses to more than \(limit) bytes, which is 1 GiB and 1,100 times its own size"
            ) == true
        )
    }

    @Test mutating func `an encrypted layer is noted`() async throws {
        let secret = try builder.layer(bytes: [1, 2, 3], "tar+gzip+encrypted", content: [4])
        _ = try await workshop.bundle([try source.add(builder.image(layers: [secret]), "secret")])
        let report = try await workshop.verify(deep: true)
        #expect(report.outcome == .done)
        #expect(report.notes == ["1 encrypted layer: what it holds is not verified"])
    }

    @Test mutating func `what is cancelled while much comes of little ends at once`() async throws {
        // One piece of the file, of which a gigabyte comes.
        let bomb = try builder.layer(bytes: Zstd.zeros(count: 9000), "tar+zstd", content: [])
        _ = try await workshop.bundle([try source.add(builder.image(layers: [bomb]), "bomb")])
        let (started, hasStarted) = AsyncStream.makeStream(of: Void.self)
        let (workshop, cancelled, finished) = (workshop, Flag(), Flag())
        let task = Task {
            try await workshop.verify(deep: true) { event in
                if case .blobAdvanced(bomb.digest, _) = event {
                    // The piece is read; what comes of it waits for the cancellation.
                    hasStarted.yield()
                    while !cancelled.isSet { usleep(1000) }
                }
                if case .blobFinished(bomb.digest) = event { finished.set(true) }
            }
        }
        for await _ in started { break }
        task.cancel()
        cancelled.set(true)
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!finished.isSet)
    }
}
