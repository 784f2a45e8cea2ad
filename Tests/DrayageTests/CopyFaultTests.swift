import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Copies of which one side, or the way to it, is in trouble.
@Suite(.timeLimit(.minutes(5))) struct CopyFaultTests {
    private var workshop: Workshop
    private let image: TestImage
    private let source: EmbeddedRegistry
    private let target: EmbeddedRegistry
    private var layer: TestBlob { image.layers[0] }

    init() async throws {
        workshop = try Workshop()
        workshop.connections.retryLimit = 8
        var builder = ImageBuilder(seed: 1450)
        image = try builder.image(layers: [builder.opaqueLayer(byteCount: 3_000_000)])
        (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        try source.add(image, "app")
    }

    private func copy(
        from proxy: FaultProxy? = nil,
        to other: FaultProxy? = nil,
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        var options = Synchronizer.Options()
        options.includesReferrers = false
        return try await Synchronizer(connections: workshop.connections, progress: progress).copy(
            [try Reference(parsing: "\(proxy?.address ?? source.address)/app:1")],
            to: NameMapping(target: try RegistryTarget(parsing: other?.address ?? target.address)),
            options: options
        )
    }

    private func expectWhole(_ report: Report, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(report.failures.map(\.message) == [], sourceLocation: location)
        #expect(report.outcome == .done, sourceLocation: location)
        try expect(target.storage, has: image, "app", tag: "1", location)
    }

    private func uploads(_ proxy: FaultProxy) -> Int {
        proxy.exchanges.count { $0.request.method == "POST" }
    }

    // MARK: - The source

    /// Ways to break off, each at a byte in the middle.
    private static let breaks: [FaultProxy.Fault] = [
        .transfer(.truncated(after: 1_000_000)), .transfer(.reset(after: 1_000_000)),
    ]

    @Test(arguments: breaks.indices) func `what the source breaks off goes on in the same upload`(number: Int)
        async throws
    {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            request.path.hasSuffix("/\(digest)") && count == 1 ? Self.breaks[number] : nil
        }
        let other = try FaultProxy(to: target.address) { _, _ in nil }
        try expectWhole(try await copy(from: proxy, to: other))
        let asked = proxy.exchanges.filter { $0.request.path.hasSuffix("/\(digest)") }
        #expect(asked.count == 2)
        #expect(asked.last?.request.header("Range")?.hasPrefix("bytes=") == true)
        // One for the config, one for the layer.
        #expect(uploads(other) == 2)
    }

    @Test func `one that says another size is asked again`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            request.path.hasSuffix("/\(digest)") && count == 1 ? .shortened(to: 1_000_000) : nil
        }
        try expectWhole(try await copy(from: proxy))
    }

    @Test func `a source without ranges sends all of it again, and what has left is passed over`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            guard request.path.hasSuffix("/\(digest)") else { return nil }
            return count == 1 ? .transfer(.truncated(after: 1_000_000)) : .askingForRange(nil)
        }
        let other = try FaultProxy(to: target.address) { _, _ in nil }
        try expectWhole(try await copy(from: proxy, to: other))
        #expect(uploads(other) == 2)
    }

    @Test(arguments: [0, 1_500_000, 2_999_999]) func `wrong bytes never become a blob`(place: Int) async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, _ in
            request.path.hasSuffix("/\(digest)") ? .flipped(at: place) : nil
        }
        let report = try await copy(from: proxy)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .unverified)
        let message = report.failures.first?.message ?? ""
        #expect(message.contains("fetching the blob \(proxy.address)/app@\(digest)"))
        #expect(!target.storage.hasBlob(digest, repository: "app"))
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == nil)
        #expect(target.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test func `one that was wrong once is fetched again`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            request.path.hasSuffix("/\(digest)") && count == 1 ? .flipped(at: 2_000_000) : nil
        }
        try expectWhole(try await copy(from: proxy))
    }

    @Test func `a source that stalls is left, and asked for the rest`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            request.path.hasSuffix("/\(digest)") && count == 1 ? .transfer(.stalled(after: 1_000_000)) : nil
        }
        var copier = self
        copier.workshop.connections.idleTimeout = .seconds(2)
        try expectWhole(try await copier.copy(from: proxy))
    }

    @Test(arguments: [404, 403, 500]) func `what the source will not give is told as its own failure`(status: Int)
        async throws
    {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, _ in
            request.path.hasSuffix("/\(digest)") ? .answer(.error(status, "DENIED")) : nil
        }
        var copier = self
        copier.workshop.connections.retryLimit = 1
        let report = try await copier.copy(from: proxy)
        #expect(report.outcome == .failed)
        let message = report.failures.first?.message ?? ""
        #expect(message.hasPrefix("fetching the blob \(proxy.address)/app@\(digest)"), "\(message)")
        #expect(target.storage.unfinishedUploads(repository: "app").isEmpty)
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == nil)
        // What could be had is there, and the same command sends what is missing.
        try expectWhole(try await copy())
    }

    /// The target takes nothing for a while, so that bytes wait for it when the source breaks off.
    @Test func `bytes that wait to be written are not asked for again`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, count in
            request.path.hasSuffix("/\(digest)") && count == 1 ? .transfer(.reset(after: 2_500_000)) : nil
        }
        let other = try FaultProxy(to: target.address) { request, _ in
            request.method == "PUT" && request.path.contains("/uploads/")
                ? .drippingRequest(byteCount: 64 << 10, every: .milliseconds(30)) : nil
        }
        try expectWhole(try await copy(from: proxy, to: other))
    }

    /// What is written there never completes, and nobody says so.
    @Test(arguments: [2_600_000, 2_999_000]) func `a copy to a target that takes nothing more can be ended`(place: Int)
        async throws
    {
        let other = try FaultProxy(to: target.address) { request, _ in
            request.method == "PUT" && request.path.contains("/uploads/") ? .stalledRequest(after: place) : nil
        }
        let digest = layer.digest
        let hasBegun = Flag()
        let copying = Task { [self] in
            try await copy(to: other) { event in
                if case .blobAdvanced(digest, let count) = event, count > 0 { hasBegun.set(true) }
            }
        }
        try await until { hasBegun.isSet }
        try await Task.sleep(for: .milliseconds(200))
        copying.cancel()
        await #expect(throws: CancellationError.self) { try await copying.value }
    }

    @Test func `a target that breaks while it takes nothing is tried again`() async throws {
        let other = try FaultProxy(to: target.address) { request, number in
            request.method == "PUT" && request.path.contains("/uploads/") && number == 1
                ? .stalledRequest(after: 2_900_000) : nil
        }
        var copier = self
        copier.workshop.connections.idleTimeout = .seconds(2)
        try expectWhole(try await copier.copy(to: other))
    }

    // MARK: - The target

    @Test(arguments: 1...4) func `an upload that breaks is made again, in chunks from the third time on`(count: Int)
        async throws
    {
        let other = try FaultProxy(to: target.address) { request, number in
            request.method == "PUT" && request.path.contains("/uploads/") && number <= count
                ? .resetRequest(after: 1000) : nil
        }
        try expectWhole(try await copy(to: other))
    }

    @Test func `one that takes only small requests gets the blob in chunks`() async throws {
        let limit = 1_200_000
        let other = try FaultProxy(to: target.address) { request, _ in
            (request.header("Content-Length").flatMap { Int($0) } ?? 0) > limit ? .tooLarge : nil
        }
        let proxy = try FaultProxy(to: source.address) { _, _ in nil }
        try expectWhole(try await copy(from: proxy, to: other))
        let ranges = proxy.exchanges.compactMap { $0.request.header("Range") }
        #expect(!ranges.isEmpty)
    }

    @Test func `a copy that is ended leaves no upload`() async throws {
        let digest = layer.digest
        let proxy = try FaultProxy(to: source.address) { request, _ in
            request.path.hasSuffix("/\(digest)") ? .transfer(.stalled(after: 1_000_000)) : nil
        }
        let hasBegun = Flag()
        let copying = Task { [self] in
            try await copy(from: proxy) { event in
                if case .blobAdvanced(digest, let count) = event, count > 0 { hasBegun.set(true) }
            }
        }
        try await until { hasBegun.isSet }
        copying.cancel()
        await #expect(throws: CancellationError.self) { try await copying.value }
        #expect(target.storage.unfinishedUploads(repository: "app").isEmpty)
        try expectWhole(try await copy())
    }
}
