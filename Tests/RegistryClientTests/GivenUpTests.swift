import OCI
import RegistryClient
import Synchronization
import TestSupport
import Testing

/// A registry that has answered, and then cannot be reached any more.
@Suite struct GivenUpTests {
    private let clock = TestClock()
    private let content = RegistryContent()
    private let blobs: [TestBlob]

    init() throws {
        blobs = try (0..<20).map { try TestBlob.random(1000, seed: UInt64($0)) }
        for blob in blobs { try content.add(blob, repository: "app") }
    }

    private func fetch(_ blob: TestBlob, _ client: RegistryClient, _ repository: Repository) async throws {
        try await client.fetchBlob(blob.descriptor, from: repository, into: { _, _ in })
    }

    /// A way to the registry that can be lost, over which no connection serves two requests.
    private func way(to registry: ScriptedRegistry) throws -> (proxy: FaultProxy, repository: Repository) {
        let proxy = try FaultProxy(to: registry.address) { _, _ in .http10 }
        return (proxy, try Repository(registry: proxy.address, path: "app"))
    }

    @Test func `once it was given up, the others try it once`() async throws {
        let registry = try ScriptedRegistry(content.answer)
        let (proxy, repository) = try way(to: registry)
        try await withClient(clock.configuration()) { client in
            try await fetch(blobs[0], client, repository)
            proxy.refuseConnections()
            let first = try await failure { try await fetch(blobs[1], client, repository) }
            #expect(first.code == .unreachable && first.attempts?.count == 9)
            let waits = clock.waits.count
            for blob in blobs[2...] {
                let error = try await failure { try await fetch(blob, client, repository) }
                #expect(error.code == .unreachable && error.attempts?.count == 1)
                #expect(error.subject == "\(repository)@\(blob.digest)")
            }
            #expect(clock.waits.count == waits)
        }
    }

    @Test func `who tries it once gives nothing up for the others`() async throws {
        let registry = try ScriptedRegistry(content.answer)
        let (proxy, repository) = try way(to: registry)
        try await withClient(clock.configuration()) { client in
            try await fetch(blobs[0], client, repository)
            proxy.refuseConnections()
            let error = try await failure {
                _ = try await client.headManifest(.digest(blobs[1].digest), in: repository, retryLimit: 0)
            }
            #expect(error.code == .unreachable && error.attempts?.count == 1)
            let next = try await failure { try await fetch(blobs[1], client, repository) }
            #expect(next.attempts?.count == 9)
        }
    }

    @Test func `a host that only redirects does not make up for one that lets nobody through`() async throws {
        let store = try ScriptedRegistry { _ in .error(429, "TOOMANYREQUESTS") }
        let registry = try ScriptedRegistry { _ in .redirect(to: "http://\(store.address)/blob") }
        let repository = try Repository(registry: registry.address, path: "app")
        var configuration = clock.configuration()
        configuration.retryLimit = 3
        let error = try await withClient(configuration) { client in
            try await failure { try await fetch(blobs[0], client, repository) }
        }
        #expect(error.status == 429 && error.attempts?.count == 4)
    }

    @Test func `who waits to try it again does so once more`() async throws {
        let registry = try ScriptedRegistry(content.answer)
        let (proxy, repository) = try way(to: registry)
        let shared = Mutex<RegistryClient?>(nil)
        let other = blobs[2]
        var configuration = clock.configuration()
        let turns = Turns()
        let sleep = configuration.retryClock.sleep
        // While the first waits for its second attempt, another makes all of its own.
        configuration.retryClock.sleep = { duration in
            try await sleep(duration)
            guard turns.next() == 1, let client = shared.withLock({ $0 }) else { return }
            let error = try await failure {
                try await client.fetchBlob(other.descriptor, from: repository, into: { _, _ in })
            }
            #expect(error.attempts?.count == 9)
        }
        try await withClient(configuration) { client in
            shared.withLock { $0 = client }
            defer { shared.withLock { $0 = nil } }
            try await fetch(blobs[0], client, repository)
            proxy.refuseConnections()
            let error = try await failure { try await fetch(blobs[1], client, repository) }
            #expect(error.code == .unreachable && error.attempts?.count == 2)
        }
    }

    @Test func `when it answers again all is as before`() async throws {
        let registry = try ScriptedRegistry(content.answer)
        let (proxy, repository) = try way(to: registry)
        try await withClient(clock.configuration()) { client in
            try await fetch(blobs[0], client, repository)
            proxy.refuseConnections()
            for (blob, count) in [(blobs[1], 9), (blobs[2], 1)] {
                let error = try await failure { try await fetch(blob, client, repository) }
                #expect(error.attempts?.count == count)
            }
            try proxy.takeConnections()
            try await fetch(blobs[3], client, repository)
            proxy.refuseConnections()
            let error = try await failure { try await fetch(blobs[4], client, repository) }
            #expect(error.attempts?.count == 9)
        }
    }
}
