import Synchronization

/// Limits the requests in flight to one host: first come, first served; a cancelled waiter leaves the queue.
final class RequestSlots: Sendable {
    private struct State {
        var free: Int
        var nextTicket = 0
        var waiting: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []
        /// Tickets that were cancelled before they came to wait.
        var cancelled: Set<Int> = []
    }

    private let state: Mutex<State>

    init(limit: Int) { state = Mutex(State(free: max(1, limit))) }

    /// Whether a slot is free.
    var hasFree: Bool { state.withLock { $0.free > 0 } }

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
            if state.free > 0 {
                state.free -= 1
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
            if state.free > 0 {
                state.free -= 1
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
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume()
    }
}
