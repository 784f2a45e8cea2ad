import RegistryClient
import Synchronization
import Testing

@testable import RegistryClient

@Suite struct RequestSlotsTests {
    /// Waits until somebody opens it.
    private actor Gate {
        private var waiting: [CheckedContinuation<Void, Never>] = []
        private var isOpen = false

        func pass() async {
            guard !isOpen else { return }
            await withCheckedContinuation { waiting.append($0) }
        }

        func open() {
            isOpen = true
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
    }

    private final class Log: Sendable {
        private let entries = Mutex<[Int]>([])
        var all: [Int] { entries.withLock { $0 } }
        func add(_ entry: Int) { entries.withLock { $0.append(entry) } }
    }

    @Test func `the first to come is the first served`() async throws {
        let (slots, gate, log) = (RequestSlots(limit: 1), Gate(), Log())
        // An immediate task runs until it waits: each is in the queue before the next is made.
        var tasks = [Task.immediate { try await slots.withSlot { await gate.pass() } }]
        for number in 0..<20 {
            tasks.append(Task.immediate { try await slots.withSlot { log.add(number) } })
        }
        #expect(log.all.isEmpty)
        await gate.open()
        for task in tasks { try await task.value }
        #expect(log.all == Array(0..<20))
    }

    @Test(arguments: [1, 3, 8])
    func `no more run at once than the limit says, and as many`(limit: Int) async throws {
        let (slots, gate, log) = (RequestSlots(limit: limit), Gate(), Log())
        let tasks = (0..<20).map { number in
            Task.immediate {
                try await slots.withSlot {
                    log.add(number)
                    await gate.pass()
                }
            }
        }
        #expect(log.all == Array(0..<limit))
        await gate.open()
        for task in tasks { try await task.value }
        #expect(log.all.sorted() == Array(0..<20))
    }

    @Test func `a waiter that is cancelled leaves, and the others move up`() async throws {
        let (slots, gate, log) = (RequestSlots(limit: 1), Gate(), Log())
        let first = Task.immediate { try await slots.withSlot { await gate.pass() } }
        let cancelled = Task.immediate { try await slots.withSlot { log.add(1) } }
        let last = Task.immediate { try await slots.withSlot { log.add(2) } }
        cancelled.cancel()
        // It leaves while the slot is still taken.
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        await gate.open()
        try await first.value
        try await last.value
        #expect(log.all == [2])
    }

    @Test func `a task that was cancelled before it came does not wait`() async throws {
        let (slots, gate, log) = (RequestSlots(limit: 1), Gate(), Log())
        let first = Task.immediate { try await slots.withSlot { await gate.pass() } }
        let start = Gate()
        let late = Task.immediate {
            await start.pass()
            try await slots.withSlot { log.add(1) }
        }
        late.cancel()
        await start.open()
        await #expect(throws: CancellationError.self) { try await late.value }
        await gate.open()
        try await first.value
        #expect(log.all.isEmpty)
    }

    private final class Running: Sendable {
        private let state = Mutex((now: 0, most: 0))
        var most: Int { state.withLock { $0.most } }
        func end() { state.withLock { $0.now -= 1 } }

        func begin() {
            state.withLock { state in
                state.now += 1
                state.most = max(state.most, state.now)
            }
        }
    }

    private struct Failure: Error {}

    @Test func `a slot is given back whatever happens`() async throws {
        let slots = RequestSlots(limit: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await slots.withSlot { throw Failure() } }
        }
        let result = try await slots.withSlot { 7 }
        #expect(result == 7)
    }

    @Test func `many come and go without a slot being lost`() async throws {
        let slots = RequestSlots(limit: 4)
        let running = Running()
        await withTaskGroup { group in
            for number in 0..<500 {
                group.addTask {
                    let task = Task {
                        try await slots.withSlot {
                            running.begin()
                            await Task.yield()
                            running.end()
                        }
                    }
                    if number.isMultiple(of: 3) { task.cancel() }
                    _ = await task.result
                }
            }
        }
        #expect(running.most <= 4)
        // All four are still to be had.
        let (gate, log) = (Gate(), Log())
        let tasks = (0..<4).map { number in
            Task.immediate {
                try await slots.withSlot {
                    log.add(number)
                    await gate.pass()
                }
            }
        }
        #expect(log.all == [0, 1, 2, 3])
        await gate.open()
        for task in tasks { try await task.value }
    }
}
