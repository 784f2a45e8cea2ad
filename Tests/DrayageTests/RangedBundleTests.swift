import Drayage
import Foundation
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// Bundles with a layer that is fetched by several requests at once.
@Suite(.timeLimit(.minutes(10))) struct RangedBundleTests {
    private static let pieceLength: Int64 = 64 << 10

    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let proxy: FaultProxy
    private let site = Site()
    private let large: TestBlob
    private let name: String

    /// What happens to the requests for the large layer now; the first one waits until others have come to help.
    private final class Site: Sendable {
        private struct State {
            var first: FaultProxy.Fault?
            var piece: @Sendable (Int) -> FaultProxy.Fault? = { _ in nil }
            var pieceCount = 0
            var waitsForHelp = true
        }

        private let state = Mutex(State())
        private let changed = NSCondition()

        func set(
            waitsForHelp: Bool = true,
            first: FaultProxy.Fault? = nil,
            piece: @escaping @Sendable (Int) -> FaultProxy.Fault? = { _ in nil }
        ) {
            state.withLock { $0 = State(first: first, piece: piece, waitsForHelp: waitsForHelp) }
        }

        func decide(_ request: Request) -> FaultProxy.Fault? {
            if let range = request.header("Range"), !range.hasSuffix("-") {
                let fault = state.withLock { state -> FaultProxy.Fault? in
                    state.pieceCount += 1
                    return state.piece(state.pieceCount)
                }
                changed.withLock { changed.broadcast() }
                return fault
            }
            let end = Date(timeIntervalSinceNow: 30)
            changed.withLock {
                while state.withLock({ $0.waitsForHelp && $0.pieceCount < 3 }), changed.wait(until: end) {}
            }
            return state.withLock { $0.first }
        }
    }

    init() async throws {
        var workshop = try Workshop()
        workshop.connections.rangePolicy.blobByteCount = 1 << 20
        workshop.connections.rangePolicy.pieceByteCount = Self.pieceLength
        workshop.connections.rangePolicy.fullRate = .infinity
        workshop.connections.rangePolicy.interval = .milliseconds(5)
        self.workshop = workshop
        source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 991)
        let large = try builder.opaqueLayer(byteCount: 3 << 20)
        self.large = large
        let address = try source.add(try builder.image(layers: [builder.layer(), large]), "app")
        proxy = try FaultProxy(to: source.address) { [site] request, _ in
            request.method == "GET" && request.path.hasSuffix("/\(large.digest)") ? site.decide(request) : nil
        }
        name = address.replacing(source.address, with: proxy.address)
    }

    private var partial: [String] { ["bundle.tar.partial", "bundle.tar.partial.journal"] }

    private func expectSame(_ location: SourceLocation = #_sourceLocation) async throws {
        var plain = workshop
        plain.connections.rangeLimit = 1
        site.set(waitsForHelp: false)
        _ = try await plain.bundle([name], to: "whole.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "whole.tar"), sourceLocation: location)
        #expect(try workshop.scratch.names() == ["bundle.tar", "whole.tar"], sourceLocation: location)
    }

    /// The ranges of the large layer that were asked for since a number of requests.
    private func ranges(since count: Int = 0) -> [String?] {
        proxy.exchanges.dropFirst(count).map(\.request)
            .filter { $0.method == "GET" && $0.path.hasSuffix("/\(large.digest)") }.map { $0.header("Range") }
    }

    @Test func `it is the same file as of one request, and each byte was fetched once`() async throws {
        let advanced = Mutex<Int64>(0)
        let report = try await workshop.bundle([name]) { [large] event in
            if case .blobAdvanced(large.digest, let count) = event { advanced.withLock { $0 += count } }
        }
        #expect(report.outcome == .done)
        #expect(ranges().count > 4)
        #expect(report.totals?.fetchedByteCount == report.totals?.byteCount)
        #expect(advanced.withLock { $0 } == large.descriptor.size)
        let blob = try #require(report.blobs?.first { $0.digest == large.digest })
        #expect(blob.movedByteCount == large.descriptor.size)
        try await expectSame()
    }

    @Test func `what came ahead of the beginning does not count after an interruption`() async throws {
        let stall = 10_000
        site.set(first: .transfer(.stalled(after: stall)))
        let advanced = Mutex<Int64>(0)
        let task = Task { [workshop, name, large] in
            try await workshop.bundle([name]) { event in
                if case .blobAdvanced(large.digest, let count) = event { advanced.withLock { $0 += count } }
            }
        }
        // As far ahead as pieces may be, and no farther.
        try await until { advanced.withLock { $0 } >= Self.pieceLength * 15 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(advanced.withLock { $0 } <= Self.pieceLength * 17)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try workshop.scratch.names() == partial)
        site.set(waitsForHelp: false)
        let count = proxy.exchanges.count
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done)
        let start = try #require(ranges(since: count).compactMap(\.self).first { $0.hasSuffix("-") })
        #expect(start == "bytes=\(stall)-")
        try await expectSame()
    }

    @Test func `a piece that cannot be had fails the bundle, which the same call goes on with`() async throws {
        site.set { $0 >= 20 ? .status(500) : nil }
        let failed = try await workshop.bundle([name])
        #expect(failed.outcome == .failed)
        #expect(failed.failures.first?.message.contains("answered 500") == true)
        #expect(try workshop.scratch.names() == partial)
        site.set(waitsForHelp: false)
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done)
        let kept = try #require(report.totals?.keptByteCount)
        #expect(kept > Self.pieceLength)
        #expect((report.totals?.fetchedByteCount ?? 0) + kept == report.totals?.byteCount)
        try await expectSame()
    }
}
