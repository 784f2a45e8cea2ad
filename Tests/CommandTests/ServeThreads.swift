import Foundation

/// Work that blocks, on threads of its own: on those of Swift's tasks it would keep the other tests waiting.
enum ServeThreads {
    /// Runs a body with the numbers from 0, each on a thread, and waits until all have ended.
    static func run<Result: Sendable>(
        _ count: Int,
        _ body: @escaping @Sendable (Int) -> Result
    ) async -> [Result] {
        await withTaskGroup(of: Result.self) { group in
            for number in 0..<count {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        Thread.detachNewThread { continuation.resume(returning: body(number)) }
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}

/// A number that the environment sets, for longer runs.
func environmentNumber(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } }
