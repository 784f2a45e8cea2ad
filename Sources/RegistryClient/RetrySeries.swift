/// The attempts at one thing so far.
struct RetrySeries {
    /// What follows a failure.
    enum Next {
        case attempt(Retry)
        case failure(RegistryError)
    }

    private let policy: RetryPolicy
    private let clock: RetryClock
    private let start: ContinuousClock.Instant
    private var attemptCount = 0
    /// The failures since something was gained.
    private var failureCount = 0
    private var lastMismatch: RegistryError.Code?
    private var reached: Int64 = 0
    private var completedCount: Int

    /// Begins.
    ///
    /// - Parameters:
    ///   - policy: what is tried again, and how often.
    ///   - clock: what the waits are measured by.
    ///   - completedCount: how many jobs of others have come to a good end so far.
    init(policy: RetryPolicy, clock: RetryClock, completedCount: Int) {
        self.policy = policy
        self.clock = clock
        self.completedCount = completedCount
        start = clock.now()
    }

    /// Decides what follows a failure.
    ///
    /// - Parameters:
    ///   - error: the failure.
    ///   - reached: how many bytes have come by now; more than ever before, and the count of failures starts again.
    ///   - completedCount: how many jobs of others have come to a good end by now.
    /// - Returns: another attempt, or the error to end with.
    mutating func next(after error: RegistryError, reached: Int64, completedCount: Int) -> Next {
        attemptCount += 1
        if reached > self.reached { failureCount = 0 }
        self.reached = max(reached, self.reached)
        // A registry that lets few through at a time will come to this one as well; what the job itself was granted, a
        // redirect or a part, says nothing of that.
        if error.status == 429, completedCount > self.completedCount {
            failureCount = max(0, min(failureCount, policy.limit - 1))
        }
        self.completedCount = completedCount
        guard failureCount < policy.limit, RetryPolicy.isRetryable(error), !isSameMismatch(error) else {
            return .failure(ended(error))
        }
        if let refusal = refusal(of: error.retryAfter, error) { return .failure(ended(refusal)) }
        failureCount += 1
        let delay = policy.delay(afterFailures: failureCount, random: clock.random())
        let wait = max(delay, error.retryAfter ?? .zero)
        return .attempt(Retry(error: error, wait: wait, attempt: attemptCount + 1))
    }

    /// How long to wait for a host that has asked not to be disturbed.
    ///
    /// - Throws: ``RegistryError`` where that is too long.
    func wait(for closed: HostGates.Closed, context: RequestContext) throws(RegistryError) -> Duration {
        let wait = max(closed.until - clock.now(), .zero)
        let cause = closed.cause.with(context, request: closed.cause.request)
        if let refusal = refusal(of: wait, cause) { throw refusal }
        return wait
    }

    /// Whether bytes came that are wrong in the same way as before: then that is what the registry has.
    private mutating func isSameMismatch(_ error: RegistryError) -> Bool {
        guard error.isMismatch else { return false }
        defer { lastMismatch = error.code }
        return error.code == lastMismatch
    }

    private func refusal(of wait: Duration?, _ error: RegistryError) -> RegistryError? {
        guard let wait, wait > policy.maxWait else { return nil }
        var error = error
        let (asked, most) = (wait.components.seconds, policy.maxWait.components.seconds)
        let limit = policy.hasOther ? "a mirror is waited for \(most) s" : "--max-wait is \(most) s"
        error.reason = "the registry asks to wait \(asked) s, and \(limit)"
        return error
    }

    /// An error that ends the series, with how often it was tried.
    func ended(_ error: RegistryError) -> RegistryError {
        guard error.attempts == nil else { return error }
        var error = error
        error.attempts = .init(count: attemptCount, duration: clock.now() - start)
        return error
    }
}
