import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Work that is cancelled in its middle ends with `CancellationError` and leaves nothing visible.
@Suite(.timeLimit(.minutes(10))) struct CancellationTests {
    /// Starts work, cancels it when a first byte of a blob has moved, and gives what it threw.
    private func cancelled(
        _ work: @escaping @Sendable (@escaping ProgressHandler) async throws -> Report
    ) async -> (any Error)? {
        let (events, moved) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await work { event in
                if case .blobAdvanced = event { moved.yield() }
            }
        }
        for await _ in events { break }
        task.cancel()
        switch await task.result {
        case .success: return nil
        case .failure(let error): return error
        }
    }

    @Test func `a bundle that is cancelled leaves what it has, and nothing under its name`() async throws {
        let source = try Source { request in
            // The first byte comes, and then nothing.
            request.path.contains("/blobs/")
                ? Answer(headers: [], body: [UInt8](repeating: 0x1f, count: 100_000)).sent(.stalled(after: 1)) : nil
        }
        let workshop = try Workshop()
        var builder = ImageBuilder(seed: 150)
        let layers = try (0..<3).map { _ in try builder.opaqueLayer(byteCount: 100_000) }
        let name = try source.add(builder.image(layers: layers), "app")
        let error = await cancelled { try await workshop.bundle([name], keepGoing: true, progress: $0) }
        #expect(error is CancellationError)
        #expect(error.map { ExitStatus(of: $0) } == .interrupted)
        #expect(try workshop.scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
    }

    @Test func `a bundle that is cancelled while it looks images up leaves no file`() async throws {
        let source = try Source { _ in Answer().sent(.stalledBeforeHead) }
        let workshop = try Workshop()
        let name = "\(source.address)/app:1"
        let task = Task { try await workshop.bundle([name]) }
        try await until { source.registry.requests.count == 1 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try workshop.scratch.names() == [])
    }

    @Test func `a push that is cancelled leaves no tag`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 151)
        let names = try ["a", "b"].map { try source.add(builder.multiPlatform(), $0) }
        _ = try await workshop.bundle(names)
        let target = try Source { request in
            request.method == "PUT" ? Answer(201).sent(.stalledBeforeHead) : nil
        }
        let error = await cancelled { try await workshop.push(to: target.address, progress: $0) }
        #expect(error is CancellationError)
        #expect(target.content.repositories == [])
        #expect(target.registry.count("PUT", containing: "/manifests/") == 0)
    }

    @Test func `a push that is cancelled among the manifests leaves no tag`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 152)
        _ = try await workshop.bundle([try source.add(builder.multiPlatform(), "a")])
        let target = try Source { request in
            request.method == "PUT" && request.path.contains("/manifests/") ? Answer(201).sent(.stalledBeforeHead) : nil
        }
        let task = Task { try await workshop.push(to: target.address) }
        try await until { target.registry.count("PUT", containing: "/manifests/sha256:") == 2 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(target.content.digest(ofTag: "1", repository: "a") == nil)
        #expect(target.registry.count("PUT", containing: "/manifests/") == 2)
    }
}
