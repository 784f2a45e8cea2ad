import NIOHTTP1
import Synchronization

/// What each host has told us of itself, shared by all requests to it; every request passes its host's gate.
final class HostGates: Sendable {
    /// A host has asked not to be disturbed for a while.
    struct Closed: Error {
        /// When its time is over.
        let until: ContinuousClock.Instant
        /// The answer that said so.
        let cause: RegistryError
    }

    private struct Host {
        var closed: Closed?
        var rateLimit: RateLimit?
        /// How many jobs, each with all its attempts, have come to a good end.
        var completedCount = 0
        /// Whether somebody's last attempt found nobody there, and nobody has had an answer since.
        var isGivenUp = false
    }

    private let hosts = Mutex<[URLParts.Origin: Host]>([:])
    private let clock: RetryClock

    init(clock: RetryClock) { self.clock = clock }

    /// Lets a request to a URL through.
    ///
    /// - Throws: ``Closed`` where the host is not to be disturbed now.
    func pass(_ url: String) throws {
        guard let origin = URLParts.origin(of: url) else { return }
        let closed = hosts.withLock { $0[origin]?.closed }
        if let closed, clock.now() < closed.until { throw closed }
    }

    /// Takes in what an answer says of its host, and how long the answer asks to wait.
    func note(_ response: inout HTTPResponse, to request: HTTPRequest, context: RequestContext) {
        guard let origin = URLParts.origin(of: request.url) else { return }
        if RetryPolicy.isRetryable(status: response.status) {
            response.retryAfter = response.headers.first(name: "Retry-After").flatMap {
                RetryAfter.wait(
                    $0,
                    date: response.headers.first(name: "Date"),
                    now: clock.secondsSince1970
                )
            }
        }
        let rateLimit = RateLimit(
            remaining: response.headers.first(name: "RateLimit-Remaining"),
            limit: response.headers.first(name: "RateLimit-Limit")
        )
        let closed = response.retryAfter.map { wait in
            Closed(until: clock.now() + wait, cause: response.error(to: request, context: context))
        }
        hosts.withLock { hosts in
            var host = hosts[origin] ?? Host()
            host.isGivenUp = false
            host.rateLimit = rateLimit ?? host.rateLimit
            if let closed, host.closed.map({ $0.until < closed.until }) ?? true { host.closed = closed }
            hosts[origin] = host
        }
    }

    /// Whether the host of a URL has ever answered.
    func hasAnswered(_ url: String) -> Bool {
        guard let origin = URLParts.origin(of: url) else { return false }
        return hosts.withLock { $0[origin] != nil }
    }

    /// Notes that a job at the host of a URL has come to a good end.
    func noteCompleted(_ url: String) {
        guard let origin = URLParts.origin(of: url) else { return }
        hosts.withLock { $0[origin]?.completedCount += 1 }
    }

    /// How many jobs at the host of a URL have come to a good end.
    func completedCount(of url: String) -> Int {
        guard let origin = URLParts.origin(of: url) else { return 0 }
        return hosts.withLock { $0[origin]?.completedCount ?? 0 }
    }

    /// Notes that the host of a URL, which has answered before, could not be reached as often as it was tried.
    func noteGivenUp(_ url: String) {
        guard let origin = URLParts.origin(of: url) else { return }
        hosts.withLock { $0[origin]?.isGivenUp = true }
    }

    /// Whether the host of a URL was given up and has not answered since.
    func isGivenUp(_ url: String) -> Bool {
        guard let origin = URLParts.origin(of: url) else { return false }
        return hosts.withLock { $0[origin]?.isGivenUp ?? false }
    }

    /// What the host of a URL last said of its limit.
    func rateLimit(of url: String) -> RateLimit? {
        guard let origin = URLParts.origin(of: url) else { return nil }
        return hosts.withLock { $0[origin]?.rateLimit }
    }
}

extension RegistryClient {
    /// What a registry last said of its limit, nil where it has said nothing.
    package func rateLimit(of name: String) -> RateLimit? {
        transport.hosts.rateLimit(of: registry(name).endpoint.baseURL)
    }
}
