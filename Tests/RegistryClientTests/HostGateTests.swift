import OCI
import RegistryClient
import Synchronization
import TestSupport
import Testing

/// What one request learns of a host holds for all requests to it, and for no other host.
@Suite struct HostGateTests {
    private let clock = TestClock()
    private let content = RegistryContent()

    init() throws {
        var builder = ImageBuilder()
        for repository in ["a", "b"] { try content.add(try builder.image(), repository: repository, tag: "1") }
    }

    /// A configuration whose waits end when a stream does.
    private func held(
        until end: AsyncStream<Never>,
        _ wait: AsyncStream<Duration>.Continuation
    ) -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration()
        let start = ContinuousClock.now
        let passed = Mutex(Duration.zero)
        configuration.retryClock.now = { start + passed.withLock { $0 } }
        configuration.retryClock.sleep = { duration in
            wait.yield(duration)
            for await _ in end {}
            try Task.checkCancellation()
            passed.withLock { $0 = max($0, duration) }
        }
        return configuration
    }

    @Test func `all requests to the host wait, and then all are sent`() async throws {
        let registry = try faulty([Answer(429, headers: [("Retry-After", "60")])], then: content.answer)
        let (first, second) = (try registry.repository("a"), try registry.repository("b"))
        let (end, ending) = AsyncStream.makeStream(of: Never.self)
        let (waits, wait) = AsyncStream.makeStream(of: Duration.self)
        try await withClient(held(until: end, wait)) { client in
            var next = waits.makeAsyncIterator()
            async let one = client.tags(of: first)
            let firstWait = await next.next()
            #expect(firstWait == .seconds(60))
            async let two = client.tags(of: second)
            let secondWait = await next.next()
            #expect(secondWait == .seconds(60))
            #expect(registry.lines == ["GET /v2/a/tags/list"])
            ending.finish()
            let tags = try await (one, two)
            #expect(tags == (["1"], ["1"]))
        }
        #expect(registry.requests.count == 3)
    }

    @Test func `another host does not wait`() async throws {
        let slow = try faulty([Answer(429, headers: [("Retry-After", "60")])], then: content.answer)
        let other = try ScriptedRegistry(content.answer)
        let (first, second) = (try slow.repository("a"), try other.repository("b"))
        let (end, ending) = AsyncStream.makeStream(of: Never.self)
        let (waits, wait) = AsyncStream.makeStream(of: Duration.self)
        try await withClient(held(until: end, wait)) { client in
            async let one = client.tags(of: first)
            _ = await waits.first { _ in true }
            let tags = try await client.tags(of: second)
            #expect(tags == ["1"])
            ending.finish()
            let late = try await one
            #expect(late == ["1"])
        }
    }

    @Test func `who waits holds no place that another needs`() async throws {
        let registry = try faulty([Answer(503)], where: { $0.path.contains("/a/") }, then: content.answer)
        let (first, second) = (try registry.repository("a"), try registry.repository("b"))
        let (end, ending) = AsyncStream.makeStream(of: Never.self)
        let (waits, wait) = AsyncStream.makeStream(of: Duration.self)
        var configuration = held(until: end, wait)
        configuration.requestLimit = 1
        try await withClient(configuration) { client in
            async let one = client.tags(of: first)
            _ = await waits.first { _ in true }
            let tags = try await client.tags(of: second)
            #expect(tags == ["1"])
            ending.finish()
            let late = try await one
            #expect(late == ["1"])
        }
    }

    @Test func `a token server that asks for time gets it, and no attempt is counted for those who wait`() async throws
    {
        let issuer = TokenIssuer()
        let registry = try faulty(
            [Answer(429, headers: [("Retry-After", "40")])],
            where: { $0.path == "/token" },
            then: issuer.guarding(content.answer)
        )
        let repositories = [try registry.repository("a"), try registry.repository("b")]
        try await withClient(clock.configuration()) { client in
            try await withThrowingTaskGroup { group in
                for repository in repositories { group.addTask { _ = try await client.tags(of: repository) } }
                try await group.waitForAll()
            }
        }
        #expect(clock.waits.contains(.seconds(40)))
        #expect(registry.count("GET", containing: "/token") == 3)
    }

    /// Few get through at a time, so that one may be turned away more often than any limit.
    @Test(arguments: [429, 503])
    func `a registry that is busy with others is not given up, one that fails is`(status: Int) async throws {
        let turns = Turns()
        let registry = try ScriptedRegistry { [content] request in
            request.path.contains("/a/") && turns.next() <= 20 ? Answer(status) : content.answer(request)
        }
        let (first, second) = (try registry.repository("a"), try registry.repository("b"))
        let shared = Mutex<RegistryClient?>(nil)
        var configuration = clock.configuration()
        configuration.retryClock.sleep = { _ in _ = try await shared.withLock { $0 }?.tags(of: second) }
        try await withClient(configuration) { client in
            shared.withLock { $0 = client }
            if status == 429 {
                let tags = try await client.tags(of: first)
                #expect(tags == ["1"])
            } else {
                let error = try await failure { try await client.tags(of: first) }
                #expect(error.attempts?.count == 9)
            }
        }
        #expect(registry.count("GET", containing: "/a/") == (status == 429 ? 21 : 9))
    }

    /// What each of them would find takes its time, and they would find it one after the other.
    @Test func `many requests to a host that does not answer share what the first finds`() async throws {
        // It takes the handshake for a request whose end has not come yet.
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository("a")
        var configuration = clock.configuration()
        configuration.schemes = [registry.address: .https]
        configuration.connectTimeout = .milliseconds(300)
        configuration.retryLimit = 1
        try await withClient(configuration) { client in
            let errors = try await withThrowingTaskGroup { group in
                for _ in 0..<30 { group.addTask { try await failure { try await client.tags(of: repository) } } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(errors.map(\.code) == errors.map { _ in .unreachable })
            #expect(errors.allSatisfy { $0.attempts != nil })
            #expect(client.requestCount < 30)
        }
    }

    @Test func `what a registry says of its limit is kept for it`() async throws {
        let turns = Turns()
        let registry = try ScriptedRegistry { [content] request in
            content.answer(request)
                .with("ratelimit-limit", "100;w=21600")
                .with("RateLimit-Remaining", "\(100 - turns.next());w=21600")
        }
        let silent = try ScriptedRegistry { [content] request in content.answer(request).with("RateLimit-Limit", "5") }
        let (repository, other) = (try registry.repository("a"), try silent.repository("a"))
        try await withClient { client in
            #expect(client.rateLimit(of: registry.address) == nil)
            for _ in 0..<3 { _ = try await client.tags(of: repository) }
            _ = try await client.tags(of: other)
            let limit = client.rateLimit(of: registry.address)
            #expect(limit?.remaining == 97)
            #expect(limit?.limit == 100)
            #expect(limit?.window == .seconds(21_600))
            #expect(client.rateLimit(of: silent.address) == nil)
        }
    }
}
