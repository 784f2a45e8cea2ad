extension RegistryClient {
    /// Tries something until it succeeds or ``RetryPolicy`` has had enough.
    ///
    /// Nothing is held while it waits, no slot above all. Once a registry that could not be reached was given up, the
    /// others try it once, until one of them has an answer. At a mirror less is tried than is configured.
    ///
    /// - Parameters:
    ///   - registry: the registry that is asked.
    ///   - context: what it is done for.
    ///   - limit: how often it is tried again; nil for as often as is configured.
    ///   - reached: how many bytes there are by now, of what can be moved in parts: as long as they grow, failures do not
    ///     add up.
    ///   - attempt: tries it once, and verifies what came.
    /// - Returns: what the attempt returns.
    /// - Throws: ``RegistryError`` of the last attempt, with how often it was tried; what else an attempt throws.
    func retrying<Result>(
        _ registry: Registry,
        _ context: RequestContext,
        limit: Int? = nil,
        reached: @autoclosure () -> Int64 = 0,
        _ attempt: () async throws -> Result
    ) async throws -> Result {
        let clock = configuration.retryClock
        var policy = RetryPolicy(limit: limit ?? configuration.retryLimit, maxWait: configuration.maxWait)
        if registry.isMirror { policy = policy.forMirror }
        let (hosts, origin) = (transport.hosts, registry.endpoint.origin)
        var series = RetrySeries(policy: policy, clock: clock, completedCount: hosts.completedCount(of: origin))
        while true {
            do {
                let result = try await attempt()
                if limit == nil { hosts.noteCompleted(origin) }
                return result
            } catch let closed as HostGates.Closed {
                // Nothing was sent, so nothing was tried.
                try await clock.sleep(try series.wait(for: closed, context: context))
            } catch let error as RegistryError {
                let completedCount = hosts.completedCount(of: origin)
                switch series.next(after: error, reached: reached(), completedCount: completedCount) {
                case .attempt(let retry):
                    if error.concernsWholeRegistry, hosts.isGivenUp(origin) { throw series.ended(error) }
                    AttemptCount.noteRetry()
                    configuration.onRetry(retry)
                    try await clock.sleep(retry.wait)
                case .failure(let error):
                    // Who tries less than others gives nothing up for them; nor is another host the registry.
                    if limit == nil, error.concernsWholeRegistry, error.concerns(origin) {
                        if !registry.isMirror { hosts.noteGivenUp(origin) }
                        await registry.authenticator.noteGivenUp(error)
                    }
                    throw error
                }
            }
        }
    }
}
