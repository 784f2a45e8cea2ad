import FoundationEssentials

/// Decides what is tried again, how often and after how long: for all requests, in this one place.
struct RetryPolicy: Sendable {
    /// The most attempts that follow failures in a row.
    let limit: Int
    /// The longest single wait.
    let maxWait: Duration

    /// Whether another registry is asked next, which it may be better to ask soon.
    var hasOther = false

    private static let firstDelay = Duration.milliseconds(500)
    private static let delayLimit = Duration.seconds(30)

    /// What is left of it where another registry is asked next.
    var forMirror: RetryPolicy {
        RetryPolicy(limit: min(limit, 1), maxWait: min(maxWait, .seconds(5)), hasOther: true)
    }

    /// Whether another attempt at the same may fare better.
    static func isRetryable(_ error: RegistryError) -> Bool {
        // Whoever shares a failure that was tried again already does not begin anew.
        guard error.attempts == nil else { return false }
        switch error.code {
        case .unreachable, .connectionLost, .timeout, .sizeMismatch, .digestMismatch, .uploadLost: return true
        // The upload has been forgotten; a new one has not.
        case .notFound: return error.registryMessages.contains { $0.hasPrefix("BLOB_UPLOAD_UNKNOWN") }
        default: return error.status.map(isRetryable(status:)) ?? false
        }
    }

    /// Whether an answer with a status is worth asking for again.
    static func isRetryable(status: Int) -> Bool {
        switch status {
        case 408, 425, 429: true
        // Not implemented; HTTP version not supported.
        case 501, 505: false
        default: (500...599).contains(status)
        }
    }

    /// Whether a host says with a status that it has too much to do, or may have.
    static func isTooMuch(status: Int) -> Bool {
        status == 429 || (500...599).contains(status) && isRetryable(status: status)
    }

    /// Decides how long to wait after so many failures in a row: twice as long each time, up to a cap.
    ///
    /// - Parameters:
    ///   - failureCount: from 1.
    ///   - random: from 0 to 1; it takes up to a quarter away, so that those who failed together do not come together.
    /// - Returns: the wait.
    func delay(afterFailures failureCount: Int, random: Double) -> Duration {
        let full = min(Self.firstDelay * (1 << min(failureCount - 1, 16)), Self.delayLimit)
        return min(full * (0.75 + 0.25 * random), maxWait)
    }
}

/// One attempt that failed and will be followed by another.
package struct Retry: Sendable {
    /// What went wrong, with what was being done and to what.
    package let error: RegistryError
    /// How long nothing is done now.
    package let wait: Duration
    /// Which attempt comes next, from 2.
    package let attempt: Int
}

/// Time and chance as the retries know them; a test has its own.
package struct RetryClock: Sendable {
    /// The time that waits are measured by.
    package var now: @Sendable () -> ContinuousClock.Instant = { .now }
    /// The seconds since 1970, by which a registry's dates are read that has no date of its own.
    package var secondsSince1970: @Sendable () -> Int64 = { Int64(Date.now.timeIntervalSince1970) }
    /// Waits; it throws `CancellationError` when the task is cancelled.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// A number from 0 to 1.
    package var random: @Sendable () -> Double = { Double.random(in: 0...1) }

    /// The real ones.
    package init() {}
}
