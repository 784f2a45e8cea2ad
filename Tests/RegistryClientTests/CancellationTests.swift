import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct CancellationTests {
    @Test func `a fetch that is cancelled in the middle of the body ends at once`() async throws {
        let blob = try TestBlob.random(200_000)
        let bytes = try blob.bytes
        let registry = try ScriptedRegistry { _ in Answer(body: bytes, transfer: .stalled(after: 1000)) }
        let repository = try registry.repository()
        let (pieces, piece) = AsyncStream.makeStream(of: Void.self)
        try await withClient { client in
            let fetch = Task {
                try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in piece.yield() }
            }
            _ = await pieces.first { _ in true }
            fetch.cancel()
            await #expect(throws: CancellationError.self) { try await fetch.value }
        }
    }

    @Test func `a task that is cancelled already sends nothing`() async throws {
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        try await withClient { client in
            let (start, go) = AsyncStream.makeStream(of: Void.self)
            let fetch = Task {
                _ = await start.first { _ in true }
                return try await client.fetchManifest(.tag(.latest), in: repository)
            }
            fetch.cancel()
            go.yield()
            await #expect(throws: CancellationError.self) { try await fetch.value }
        }
        #expect(try await registry.finish().isEmpty)
    }

    @Test func `a cancelled request takes nothing from the others`() async throws {
        let content = RegistryContent()
        let blob = try TestBlob.random(1000)
        try content.add(blob, repository: "app")
        let registry = try ScriptedRegistry { request in
            request.path.contains("/stalls/")
                ? Answer(body: [1, 2], transfer: .stalledBeforeHead) : content.answer(request)
        }
        let stalls = try registry.repository("stalls")
        let repository = try registry.repository()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.requestLimit = 1
        try await withClient(configuration) { client in
            let first = Task { try await client.tags(of: stalls) }
            let second = Task { try await client.hasBlob(blob.descriptor, in: repository) }
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
            let isThere = try await second.value
            #expect(isThere)
        }
    }
}
