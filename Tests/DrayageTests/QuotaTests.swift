import Drayage
import TestSupport
import Testing

/// What a registry says of its limit, beside what the bundle takes.
@Suite struct QuotaTests {
    private let workshop: Workshop
    private let content = RegistryContent()
    private let image: TestImage

    init() throws {
        workshop = try Workshop()
        var builder = ImageBuilder(seed: 330)
        image = try builder.multiPlatform()
    }

    /// A registry that says that so many requests are left, whatever is asked.
    private func registry(remaining: Int) throws -> ScriptedRegistry {
        try ScriptedRegistry { [content] request in
            content.answer(request)
                .with("ratelimit-limit", "100;w=21600")
                .with("ratelimit-remaining", "\(remaining);w=21600")
        }
    }

    @Test func `a plan and a bundle count the manifests that they take from each registry`() async throws {
        let (one, other) = (try registry(remaining: 76), try registry(remaining: 5))
        let silent = try ScriptedRegistry(content.answer)
        var builder = ImageBuilder(seed: 331)
        try content.add(image, repository: "app", tag: "1")
        try content.add(try builder.image(), repository: "single", tag: "1")
        let names = [
            "\(one.address)/app:1", "\(one.address)/single:1", "\(one.address)/none:1", "\(other.address)/single:1",
            "\(silent.address)/app:1",
        ]
        let references = try names.map { try Reference(parsing: $0) }
        let plan = try await Synchronizer(connections: workshop.connections).plan(references)
        let bundled = try await workshop.bundle(names, keepGoing: true)
        #expect(bundled.outcome == .partial)
        for quotas in [try #require(plan.quotas), try #require(bundled.quotas)] {
            // Of the first: an index and its children, a manifest, and one that is not there. What the last registry has
            // of the same is not fetched twice.
            let expected = [(one.address, 76, 2 + 3), (other.address, 5, 1)].sorted { $0.0 < $1.0 }
            #expect(quotas.map(\.registry) == expected.map(\.0))
            #expect(quotas.map(\.remaining) == expected.map(\.1))
            #expect(quotas.map(\.needed) == expected.map(\.2))
            #expect(quotas.map(\.limit) == [100, 100])
            #expect(quotas.map(\.windowSeconds) == [21_600, 21_600])
        }
        #expect(one.count("GET", containing: "/manifests/") == 2 * 5)
    }

    @Test func `a bundle that cannot be made tells of the limit too`() async throws {
        let registry = try registry(remaining: 0)
        let report = try await workshop.bundle(["\(registry.address)/none:1"])
        #expect(report.outcome == .failed)
        #expect(report.quotas?.map(\.remaining) == [0])
        #expect(report.quotas?.map(\.needed) == [1])
    }

    @Test func `where no registry says anything there is no quota`() async throws {
        let silent = try ScriptedRegistry(content.answer)
        try content.add(image, repository: "app", tag: "1")
        let report = try await workshop.bundle(["\(silent.address)/app:1"])
        #expect(report.outcome == .done)
        #expect(report.quotas == nil)
    }
}
