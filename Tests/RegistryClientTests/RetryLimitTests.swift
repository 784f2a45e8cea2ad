import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// How often something is tried, after how long, and what is not tried again.
@Suite struct RetryLimitTests {
    private let clock = TestClock()
    private let content = RegistryContent()
    private let blob: TestBlob

    init() throws {
        var builder = ImageBuilder()
        blob = try TestBlob.random(5000)
        try content.add(try builder.image(), repository: "app", tag: "latest")
        try content.add(blob, repository: "app")
    }

    @Test func `the waits double up to a cap, outlast a minute, and end in an error that tells`() async throws {
        let registry = try ScriptedRegistry { _ in .error(503, "UNAVAILABLE", "come back") }
        let repository = try registry.repository()
        let error = try await clientFailure(clock.configuration()) { try await $0.tags(of: repository) }
        let waits = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map { Duration.milliseconds($0) }
        #expect(clock.waits == waits)
        #expect(error.status == 503)
        #expect(error.registryMessages == ["UNAVAILABLE: come back"])
        #expect(error.attempts?.count == 9)
        #expect(error.attempts?.duration == waits.reduce(.zero, +))
        #expect(error.description.hasSuffix("UNAVAILABLE: come back; tried 9 times within 91 s"))
        #expect(registry.requests.count == 9)
    }

    @Test func `chance shortens the waits by a quarter at most, and the minute is still outlasted`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(503) }
        let repository = try registry.repository()
        _ = try await clientFailure(clock.configuration(random: 0)) { try await $0.tags(of: repository) }
        #expect(clock.waits.prefix(2) == [.milliseconds(375), .milliseconds(750)])
        #expect(clock.waits.reduce(.zero, +) > .seconds(60))
    }

    @Test func `each retry is told: what, why, how long, and which`() async throws {
        let registry = try faulty([Answer(503), Answer(transfer: .resetBeforeHead)], then: content.answer)
        let repository = try registry.repository()
        _ = try await withClient(clock.configuration()) { try await $0.tags(of: repository) }
        #expect(clock.retries.map(\.error.subject) == [repository.description, repository.description])
        #expect(clock.retries.map(\.error.code) == [.unexpectedStatus, .connectionLost])
        #expect(clock.retries.map(\.wait) == [.milliseconds(500), .seconds(1)])
        #expect(clock.retries.map(\.attempt) == [2, 3])
    }

    @Test(arguments: [0, 1, 3])
    func `the limit is what was configured`(limit: Int) async throws {
        let registry = try ScriptedRegistry { _ in Answer(503) }
        let repository = try registry.repository()
        var configuration = clock.configuration()
        configuration.retryLimit = limit
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.attempts?.count == limit + 1)
        #expect(registry.requests.count == limit + 1)
    }

    @Test func `no wait is longer than the longest that is allowed`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(503) }
        let repository = try registry.repository()
        var configuration = clock.configuration()
        configuration.maxWait = .seconds(3)
        _ = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(clock.waits.max() == .seconds(3))
        #expect(clock.waits.count == 8)
    }

    // MARK: - What is not

    @Test func `a host that refuses connections is tried again, and then no more by anybody`() async throws {
        let repository = try Repository(registry: try ScriptedRegistry.refusingAddress(), path: "app")
        try await withClient(clock.configuration()) { client in
            let error = try await failure { try await client.tags(of: repository) }
            #expect(error.code == .unreachable)
            #expect(error.attempts?.count == 9)
            #expect(client.requestCount == 9)
            let second = try await failure { try await client.hasBlob(blob.descriptor, in: repository) }
            #expect(second.code == .unreachable)
            #expect(second.subject == "\(repository)@\(blob.digest)")
            #expect(second.attempts?.count == 9)
            #expect(client.requestCount == 9)
        }
        #expect(clock.waits.count == 8)
    }

    @Test func `a host that nobody knows is told at once`() async throws {
        let repository = try Repository(registry: "registry.invalid", path: "app")
        let error = try await clientFailure(clock.configuration()) { try await $0.tags(of: repository) }
        #expect(error.code == .unknownHost)
        #expect(clock.waits.isEmpty)
    }

    @Test(arguments: [true, false])
    func `a certificate that is not trusted, or no TLS at all, is told at once`(usesTLS: Bool) async throws {
        let registry = try await EmbeddedRegistry(options: .init(usesTLS: usesTLS))
        var configuration = clock.configuration()
        configuration.schemes = [registry.address: .https]
        let repository = try registry.repository()
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.code == (usesTLS ? .untrustedCertificate : .noTLS))
        #expect(error.attempts?.count == 1)
        #expect(clock.waits.isEmpty)
    }

    @Test func `an error of the sink is not tried again`() async throws {
        struct DiskFull: Error {}
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        await #expect(throws: DiskFull.self) {
            try await withClient(clock.configuration()) { client in
                try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in throw DiskFull() }
            }
        }
        #expect(registry.requests.count == 1)
        #expect(clock.waits.isEmpty)
    }

    @Test func `a wait ends when the task is cancelled, and nothing is sent after it`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(503) }
        let repository = try registry.repository()
        let (waits, wait) = AsyncStream.makeStream(of: Void.self)
        var configuration = RegistryClient.Configuration()
        configuration.onRetry = { _ in wait.yield() }
        configuration.retryClock.sleep = { _ in try await Task.sleep(for: .seconds(3600)) }
        try await withClient(configuration) { client in
            let task = Task { try await client.tags(of: repository) }
            _ = await waits.first { _ in true }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(registry.requests.count == 1)
    }
}
