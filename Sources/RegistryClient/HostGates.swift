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

    private final class Host {
        var closed: Closed?
        var rateLimit: RateLimit?
        /// How many jobs, each with all its attempts, have come to a good end.
        var completedCount = 0
        /// Whether somebody's last attempt found nobody there, and nobody has had an answer since.
        var isGivenUp = false

        /// Takes in what an answer says.
        func note(_ rateLimit: RateLimit?, _ closed: Closed?) {
            isGivenUp = false
            self.rateLimit = rateLimit ?? self.rateLimit
            if let closed, self.closed.map({ $0.until < closed.until }) ?? true { self.closed = closed }
        }
    }

    private let hosts = Mutex<[URLParts.Origin: Host]>([:])
    private let clock: RetryClock

    init(clock: RetryClock) { self.clock = clock }

    /// Lets a request to a host through.
    ///
    /// - Throws: ``Closed`` where the host is not to be disturbed now.
    func pass(_ origin: URLParts.Origin?) throws {
        guard let origin else { return }
        let closed = hosts.withLock { $0[origin]?.closed }
        if let closed, clock.now() < closed.until { throw closed }
    }

    /// Takes in what an answer says of its host, and how long the answer asks to wait.
    func note(_ response: inout HTTPResponse, to request: HTTPRequest, context: RequestContext) {
        guard let origin = request.origin else { return }
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
            if let known = hosts[origin] { return known.note(rateLimit, closed) }
            let host = Host()
            host.note(rateLimit, closed)
            hosts[origin] = host
        }
    }

    /// Whether a host has ever answered.
    func hasAnswered(_ origin: URLParts.Origin?) -> Bool {
        guard let origin else { return false }
        return hosts.withLock { $0[origin] != nil }
    }

    /// Notes that a job at a host has come to a good end.
    func noteCompleted(_ origin: URLParts.Origin?) {
        guard let origin else { return }
        hosts.withLock { $0[origin]?.completedCount += 1 }
    }

    /// How many jobs at a host have come to a good end.
    func completedCount(of origin: URLParts.Origin?) -> Int {
        guard let origin else { return 0 }
        return hosts.withLock { $0[origin]?.completedCount ?? 0 }
    }

    /// Notes that a host, which has answered before, could not be reached as often as it was tried.
    func noteGivenUp(_ origin: URLParts.Origin?) {
        guard let origin else { return }
        hosts.withLock { $0[origin]?.isGivenUp = true }
    }

    /// Whether a host was given up and has not answered since.
    func isGivenUp(_ origin: URLParts.Origin?) -> Bool {
        guard let origin else { return false }
        return hosts.withLock { $0[origin]?.isGivenUp ?? false }
    }

    /// What a host last said of its limit.
    func rateLimit(of origin: URLParts.Origin?) -> RateLimit? {
        guard let origin else { return nil }
        return hosts.withLock { $0[origin]?.rateLimit }
    }
}

extension RegistryClient {
    /// What a registry last said of its limit, nil where it has said nothing.
    package func rateLimit(of name: String) -> RateLimit? {
        transport.hosts.rateLimit(of: registry(name).endpoint.origin)
    }
}
