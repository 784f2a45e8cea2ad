import Synchronization
import Testing

@testable import Drayage

/// Large blobs and small ones go side by side: neither waits for the other, and neither takes all connections.
@Suite(.timeLimit(.minutes(10))) struct BlobScheduleTests {
    private static let large = BlobLane.largeBlobByteCount + 1

    /// What is under way, and what is done.
    private final class Watch: Sendable {
        private struct State {
            var running: [Int64: Int] = [:]
            var peak: [Int64: Int] = [:]
            var order: [Int64] = []
            var doneCount: [Int64: Int] = [:]
        }

        private let state = Mutex(State())

        func begin(_ size: Int64) {
            state.withLock { state in
                state.running[size, default: 0] += 1
                state.peak[size] = max(state.peak[size] ?? 0, state.running[size] ?? 0)
                state.order.append(size)
            }
        }

        func end(_ size: Int64) {
            state.withLock { state in
                state.running[size, default: 0] -= 1
                state.doneCount[size, default: 0] += 1
            }
        }

        func doneCount(_ size: Int64) -> Int { state.withLock { $0.doneCount[size] ?? 0 } }
        func peak(_ size: Int64) -> Int { state.withLock { $0.peak[size] ?? 0 } }
        var order: [Int64] { state.withLock { $0.order } }
    }

    /// One kind is held back until all of the other are done: were they one after the other, it would never end.
    @Test(arguments: [large, 10])
    func `whichever are slow, the others go on`(slow: Int64) async throws {
        let (sizes, watch) = (
            Array(repeating: Self.large, count: 20) + Array(repeating: Int64(10), count: 100), Watch()
        )
        let (fast, fastCount) = slow == 10 ? (Self.large, 20) : (10, 100)
        try await forEachBlobConcurrently(sizes, parallelism: 16, byteCount: \.self) { size in
            watch.begin(size)
            while size == slow, watch.doneCount(fast) < fastCount { try await Task.sleep(for: .milliseconds(1)) }
            watch.end(size)
            return []
        }
        #expect(watch.doneCount(Self.large) == 20)
        #expect(watch.doneCount(10) == 100)
        #expect(watch.peak(Self.large) <= BlobLane.largeBlobLimit)
        #expect(watch.peak(10) <= 16)
    }

    private func order(of sizes: [Int64]) async throws -> [Int64] {
        let watch = Watch()
        try await forEachBlobConcurrently(sizes, parallelism: 1, byteCount: \.self) { size in
            watch.begin(size)
            watch.end(size)
            return []
        }
        return watch.order
    }

    @Test func `the largest begin first, so that none is left to the end alone`() async throws {
        let sizes = (1...50).map { BlobLane.smallBlobByteCount + $0 }.shuffled()
        #expect(try await order(of: sizes) == sizes.sorted(by: >))
    }

    @Test func `small ones come last, in the order in which they are given`() async throws {
        let (limit, small) = (BlobLane.smallBlobByteCount, (0...50).map(Int64.init).shuffled())
        let sizes = small.prefix(20) + [limit + 1, limit + 2] + small.dropFirst(20) + [limit]
        #expect(try await order(of: Array(sizes)) == [limit + 2, limit + 1] + small + [limit])
    }
}
