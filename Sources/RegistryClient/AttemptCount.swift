import Synchronization

/// Counts how often things are tried for one job, whatever tasks it is divided into.
package final class AttemptCount: Sendable {
    @TaskLocal private static var current: AttemptCount?

    private let count = Atomic<Int>(0)

    /// Counts from 0.
    package init() {}

    /// The attempts so far: one for each job, and one for each failure that was followed by another.
    package var value: Int { count.load(ordering: .relaxed) }

    /// Counts the attempts of a job.
    package func counting<Result>(_ job: () async throws -> Result) async rethrows -> Result {
        count.add(1, ordering: .relaxed)
        return try await Self.$current.withValue(self, operation: job)
    }

    /// Notes that a job of the present task is tried again.
    static func noteRetry() { current?.count.add(1, ordering: .relaxed) }
}
