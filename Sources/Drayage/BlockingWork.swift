import Dispatch

/// Runs work that blocks a thread (syncing a file, hashing gigabytes) beside the threads of Swift's tasks.
func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async {
            continuation.resume(with: Swift.Result { try work() })
        }
    }
}
