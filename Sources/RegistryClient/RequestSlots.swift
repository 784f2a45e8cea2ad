import Synchronization

/// Limits the requests in flight to one host: first come, first served; a cancelled waiter leaves the queue.
///
/// A host that says that it is too much gets half as many at a time, and with every round that it serves one more, up to
/// the limit.
final class RequestSlots: Sendable {
    private struct State {
        /// How many may be taken now.
        var allowed: Int
        var taken = 0
        /// How often there were made fewer.
        var reductionCount = 0
        /// How many were served since there were made more or fewer.
        var servedCount = 0
        var nextTicket = 0
        var waiting: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []
        /// Tickets that were cancelled before they came to wait.
        var cancelled: Set<Int> = []

        /// Gives what is free to those who wait.
        mutating func next() -> [CheckedContinuation<Void, any Error>] {
            let count = min(max(0, allowed - taken), waiting.count)
            defer { waiting.removeFirst(count) }
            taken += count
            return waiting.prefix(count).map(\.continuation)
        }
    }

    private let limit: Int
    private let state: Mutex<State>

    init(limit: Int) {
        self.limit = max(1, limit)
        state = Mutex(State(allowed: max(1, limit)))
    }

    /// Whether a slot is free.
    var hasFree: Bool { state.withLock { $0.taken < $0.allowed } }

    /// How many slots there are now.
    var count: Int { state.withLock { $0.allowed } }

    /// How often there were made fewer, to be told with what comes of a request that begins now.
    var reductionCount: Int { state.withLock { $0.reductionCount } }

    /// Makes fewer slots, because the host says that it is too much.
    ///
    /// - Parameter seen: the reductions when the request began: of all that were under way together one counts.
    func reduce(since seen: Int) {
        state.withLock { state in
            guard state.reductionCount == seen else { return }
            state.allowed = max(1, state.allowed / 2)
            state.reductionCount += 1
            state.servedCount = 0
        }
    }

    /// Notes that the host has served a request.
    func noteServed() {
        let next = state.withLock { state -> [CheckedContinuation<Void, any Error>] in
            guard state.allowed < limit else { return [] }
            state.servedCount += 1
            guard state.servedCount >= state.allowed else { return [] }
            state.allowed += 1
            state.servedCount = 0
            return state.next()
        }
        for waiter in next { waiter.resume() }
    }

    /// Runs an operation when a slot is free.
    ///
    /// - Throws: `CancellationError` when the task is cancelled while it waits, and what the operation throws.
    func withSlot<Result>(_ operation: () async throws -> Result) async throws -> Result {
        try await acquire()
        defer { release() }
        return try await operation()
    }

    private func acquire() async throws {
        let ticket: Int? = state.withLock { state in
            if state.taken < state.allowed {
                state.taken += 1
                return nil
            }
            state.nextTicket += 1
            return state.nextTicket
        }
        guard let ticket else { return }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait(ticket, continuation)
            }
        } onCancel: {
            cancel(ticket)
        }
    }

    private func wait(_ ticket: Int, _ continuation: CheckedContinuation<Void, any Error>) {
        enum Outcome {
            case waits
            case goesOn
            case isCancelled
        }
        let outcome: Outcome = state.withLock { state in
            if state.cancelled.remove(ticket) != nil { return .isCancelled }
            // A slot may have become free between the first look and now.
            if state.taken < state.allowed {
                state.taken += 1
                return .goesOn
            }
            state.waiting.append((ticket, continuation))
            return .waits
        }
        switch outcome {
        case .waits: break
        case .goesOn: continuation.resume()
        case .isCancelled: continuation.resume(throwing: CancellationError())
        }
    }

    private func cancel(_ ticket: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
                state.cancelled.insert(ticket)
                return nil
            }
            return state.waiting.remove(at: index).continuation
        }
        waiter?.resume(throwing: CancellationError())
    }

    private func release() {
        let next = state.withLock { state in
            state.taken -= 1
            return state.next()
        }
        for waiter in next { waiter.resume() }
    }
}
