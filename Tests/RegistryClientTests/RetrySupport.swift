import OCI
import RegistryClient
import Synchronization
import TestSupport

/// A clock on which every wait is over at once, and which remembers them.
final class TestClock: Sendable {
    private struct State {
        var now = ContinuousClock.now
        var waits: [Duration] = []
        var retries: [Retry] = []
    }

    private let state = Mutex(State())

    /// The waits so far.
    var waits: [Duration] { state.withLock { $0.waits } }

    /// What was told of the retries so far.
    var retries: [Retry] { state.withLock { $0.retries } }

    /// A configuration that waits by this clock.
    ///
    /// - Parameters:
    ///   - random: what chance gives each time; 1 takes nothing away from a wait.
    ///   - date: the seconds since 1970 of this machine.
    ///   - configuration: what else is configured.
    /// - Returns: the configuration.
    func configuration(
        random: Double = 1,
        date: Int64 = 0,
        _ configuration: RegistryClient.Configuration = RegistryClient.Configuration()
    ) -> RegistryClient.Configuration {
        var configuration = configuration
        configuration.retryClock.now = { self.state.withLock { $0.now } }
        configuration.retryClock.secondsSince1970 = { date }
        configuration.retryClock.random = { random }
        configuration.retryClock.sleep = { duration in
            try Task.checkCancellation()
            self.state.withLock { state in
                state.now += duration
                state.waits.append(duration)
            }
        }
        configuration.onRetry = { retry in self.state.withLock { $0.retries.append(retry) } }
        return configuration
    }
}

/// Answers that differ from request to request, for a scripted registry.
final class Turns: Sendable {
    private let count = Mutex(0)

    /// The number of this request, from 1.
    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

/// A registry whose first answers to some of the requests are faults, and which behaves after them.
func faulty(
    _ faults: [Answer],
    where isConcerned: @escaping @Sendable (Request) -> Bool = { _ in true },
    then handler: @escaping ScriptedRegistry.Handler
) throws -> ScriptedRegistry {
    let turns = Turns()
    return try ScriptedRegistry { request in
        guard isConcerned(request) else { return handler(request) }
        let turn = turns.next()
        return turn <= faults.count ? faults[turn - 1] : handler(request)
    }
}

extension Answer {
    /// A blob, or the rest of it that is asked for.
    static func range(of bytes: [UInt8], _ request: Request, tag: String? = "\"1\"") -> Answer {
        let tag = tag.map { [("ETag", $0)] } ?? []
        guard let range = request.header("Range")?.wholeMatch(of: /bytes=([0-9]+)-/), let start = Int(range.1) else {
            return Answer(headers: tag, body: bytes)
        }
        let place = ("Content-Range", "bytes \(start)-\(bytes.count - 1)/\(bytes.count)")
        return Answer(206, headers: [place] + tag, body: Array(bytes[start...]))
    }
}

/// What was told of the bytes that left.
final class Sent: Sendable {
    private let counts = Mutex<[Int64]>([])

    /// All of them, those in vain taken off.
    var sum: Int64 { counts.withLock { $0.reduce(0, +) } }

    /// Those that left in vain, as a negative number.
    var back: Int64 { counts.withLock { $0.reduce(0) { $0 + min($1, 0) } } }

    /// The most and the fewest that it came to at one time.
    var extremes: (least: Int64, most: Int64) {
        counts.withLock { counts in
            var sum: Int64 = 0
            let sums = counts.map { count in
                sum += count
                return sum
            }
            return (sums.min() ?? 0, sums.max() ?? 0)
        }
    }

    /// Takes a number of bytes: pass it as `sent`.
    func add(_ count: Int64) { counts.withLock { $0.append(count) } }
}

extension Received {
    /// Fetches a blob of the repository `app`, and takes what comes.
    func fetch(
        _ blob: TestBlob,
        from registry: String,
        _ configuration: RegistryClient.Configuration
    ) async throws {
        let repository = try Repository(registry: registry, path: "app")
        try await withClient(configuration) {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: take, restarting: restart)
        }
    }
}
