import Dispatch
import Synchronization

/// Runs work that blocks a thread (syncing a file, hashing gigabytes) beside the threads of Swift's tasks.
func blocking<Result>(_ work: @escaping @Sendable () throws -> sending Result) async throws -> sending Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async {
            do {
                continuation.resume(returning: try work())
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}

/// The same for work that takes its time: it calls what it is given now and then, which throws when the task is cancelled.
func blocking<Result>(
    _ work: @escaping @Sendable (_ checkCancellation: @escaping @Sendable () throws -> Void) throws -> sending Result
) async throws -> sending Result {
    let isCancelled = Flag()
    return try await withTaskCancellationHandler {
        try await blocking {
            try work {
                if isCancelled.value.load(ordering: .relaxed) { throw CancellationError() }
            }
        }
    } onCancel: {
        isCancelled.value.store(true, ordering: .relaxed)
    }
}

private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
}
