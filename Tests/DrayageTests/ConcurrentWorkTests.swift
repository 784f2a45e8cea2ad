import Synchronization
import Testing

@testable import Drayage

@Suite(.timeLimit(.minutes(10))) struct ConcurrentWorkTests {
    private struct Broken: Error {}

    /// What has begun, and how many were under way together.
    private final class Watch: Sendable {
        private let state = Mutex((begun: [Int](), running: 0, peak: 0))

        func begin(_ item: Int) {
            state.withLock { state in
                state.begun.append(item)
                state.running += 1
                state.peak = max(state.peak, state.running)
            }
        }

        func end() { state.withLock { $0.running -= 1 } }

        var begun: [Int] { state.withLock { $0.begun } }
        var peak: Int { state.withLock { $0.peak } }
    }

    /// Each of a tree, and each of a chain, brings up those beneath it.
    @Test(arguments: [0, 1, 3, 32], [1, 2])
    func `what comes up is worked on, each once, and never more than so many at once`(
        limit: Int,
        childCount: Int
    ) async throws {
        let watch = Watch()
        try await forEachConcurrently([1], limit: limit) { item in
            watch.begin(item)
            await Task.yield()
            watch.end()
            return childCount == 1 ? (item < 100 ? [item + 1] : []) : [2 * item, 2 * item + 1].filter { $0 < 256 }
        }
        #expect(watch.begun.sorted() == Array(1...(childCount == 1 ? 100 : 255)))
        #expect(watch.peak <= max(1, limit))
    }

    /// Each of them waits for all: were one left to whoever brought it up, it would never end.
    @Test func `what comes up together is worked on side by side`() async throws {
        let watch = Watch()
        try await forEachConcurrently([0], limit: 8) { item in
            guard item > 0 else { return Array(1...8) }
            watch.begin(item)
            while watch.begun.count < 8 { try await Task.sleep(for: .milliseconds(1)) }
            return []
        }
        #expect(watch.peak == 8)
    }

    @Test func `the first error ends what is under way, and nothing more begins`() async {
        let watch = Watch()
        await #expect(throws: Broken.self) {
            try await forEachConcurrently(0..<1000, limit: 4) { item in
                watch.begin(item)
                while watch.begun.count < 4 { try await Task.sleep(for: .milliseconds(1)) }
                if item == 3 { throw Broken() }
                try await Task.sleep(for: .seconds(600))
                return []
            }
        }
        #expect(watch.begun.sorted() == [0, 1, 2, 3])
    }

    @Test func `nothing begins for who is cancelled`() async {
        let watch = Watch()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await forEachConcurrently(0..<10, limit: 4) { item in
                watch.begin(item)
                return []
            }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(watch.begun.isEmpty)
    }
}
