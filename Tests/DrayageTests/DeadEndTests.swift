import Drayage
import TestSupport
import Testing

/// What would never end, or only much later, is found out at once.
@Suite(.timeLimit(.minutes(10))) struct DeadEndTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test func `a small blob that fails does not wait for a large one`() async throws {
        var builder = ImageBuilder(seed: 310)
        // Beyond the size at which a blob moves in the lane of the large ones.
        let large = try builder.opaqueLayer(byteCount: 65 << 20)
        let image = try builder.image(layers: [large])
        let config = try #require(image.config).digest.description
        let source = try Source { request in
            if request.path.hasSuffix(config) { return .error(404, "BLOB_UNKNOWN") }
            guard request.path.contains("/blobs/") else { return nil }
            return Answer(body: [UInt8](repeating: 0, count: 65 << 20)).sent(.stalled(after: 1))
        }
        let report = try await workshop.bundle([try source.add(image, "app")])
        #expect(report.outcome == .failed)
        #expect(report.failures.map { $0.message.contains(config) } == [true])
        #expect(!workshop.scratch.contains("bundle.tar"))
    }

    @Test func `a registry that cannot be reached is tried once, and every image fails with it`() async throws {
        let address = try ScriptedRegistry.refusingAddress()
        let names = (1...40).map { "\(address)/app:\($0)" }
        let report = try await workshop.bundle(names)
        #expect(report.failures.map(\.subject) == names)
        for (name, failure) in zip(names, report.failures) {
            #expect(failure.message.contains(name), "\(failure.message)")
            #expect(failure.message.contains("connection refused"))
        }
        let references = try names.map { try Reference(parsing: $0) }
        let plan = try await Synchronizer(connections: workshop.connections).plan(references)
        #expect(plan.failures.count == 40)
        #expect(plan.totals?.requestCount == 1)
    }

    @Test func `a token server that stalls does not hold an interruption`() async throws {
        let stalling = try ScriptedRegistry { request in
            request.path.hasPrefix("/v2/")
                ? Answer(401).with("WWW-Authenticate", "Bearer realm=\"http://\(request.header("Host") ?? "")/token\"")
                : Answer().sent(.stalledBeforeHead)
        }
        let names = (1...3).map { "\(stalling.address)/app:\($0)" }
        let task = Task { try await workshop.bundle(names) }
        try await until { stalling.count("GET", containing: "/token") == 1 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(stalling.count("GET", containing: "/token") == 1)
    }
}
