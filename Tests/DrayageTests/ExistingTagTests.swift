import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// What happens to a tag that has another digest.
@Suite struct ExistingTagTests {
    private let workshop: Workshop
    private let target: EmbeddedRegistry
    private let (old, new, other): (TestImage, TestImage, TestImage)

    init() async throws {
        (workshop, target) = (try Workshop(), try await EmbeddedRegistry())
        let source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 70)
        (old, new, other) = (try builder.image(), try builder.image(), try builder.image())
        try target.storage.add(old, repository: "app", tag: "1")
        _ = try await workshop.bundle([try source.add(new, "app"), try source.add(other, "other")])
    }

    @Test func `it is overwritten, and the report has both digests`() async throws {
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .done)
        #expect(report.images.map(\.status) == [.pushed, .pushed])
        #expect(report.images.map(\.previousDigest) == [old.digest, nil])
        #expect(report.images.map(\.target) == ["\(target.address)/app:1", "\(target.address)/other:1"])
        try expect(target.storage, has: new, "app", tag: "1")
        try expect(target.storage, has: other, "other", tag: "1")
    }

    @Test func `it is kept with skip, and the others are pushed`() async throws {
        let report = try await workshop.push(to: target.address, onExisting: .skip)
        #expect(report.outcome == .done)
        #expect(report.images.map(\.status) == [.skipped, .pushed])
        #expect(report.images.map(\.previousDigest) == [old.digest, nil])
        try expect(target.storage, has: old, "app", tag: "1")
        try expect(target.storage, has: other, "other", tag: "1")
        #expect(try target.storage.revisions(repository: "app") == [old.digest])
        #expect(try await !target.finish().contains { $0.path.hasPrefix("/v2/app/") && $0.method != "HEAD" })
    }

    @Test func `it ends the push with fail, before anything is sent`() async throws {
        let error = await #expect(throws: DrayageError.self) {
            try await workshop.push(to: target.address, onExisting: .fail)
        }
        #expect(error?.code == .tagExists)
        #expect(
            error?.description
                == "\(target.address)/app:1 exists with the digest \(old.digest), the bundle has \(new.digest)"
        )
        #expect(try await target.finish().map(\.method) == ["HEAD", "HEAD"])
        #expect(target.storage.repositories() == ["app"])
    }

    @Test func `every tag in the way is told, in the order of the names`() async throws {
        try target.storage.add(old, repository: "other", tag: "1")
        let error = await #expect(throws: DrayageError.self) {
            try await workshop.push(to: target.address, onExisting: .fail)
        }
        #expect(
            error?.description == """
                \(target.address)/app:1 exists with the digest \(old.digest), the bundle has \(new.digest)
                \(target.address)/other:1 exists with the digest \(old.digest), the bundle has \(other.digest)
                """
        )
    }

    @Test func `a tag with the same digest is no conflict`() async throws {
        try target.storage.add(new, repository: "app", tag: "1")
        let report = try await workshop.push(to: target.address, onExisting: .fail)
        #expect(report.images.map(\.status) == [.upToDate, .pushed])
    }

    @Test(arguments: Pusher.ExistingTagPolicy.allCases)
    func `a dry run asks and sends nothing, and plans what a push does`(policy: Pusher.ExistingTagPolicy) async throws {
        func run(dry: Bool) async throws -> Report {
            try await workshop.push(to: target.address, onExisting: policy, dryRun: dry)
        }
        guard policy != .fail else {
            let error = await #expect(throws: DrayageError.self) { try await run(dry: true) }
            #expect(error?.code == .tagExists)
            return
        }
        let plan = try await run(dry: true)
        #expect(plan.images.map(\.status) == [policy == .skip ? .skipped : .planned, .planned])
        #expect(plan.images.map(\.previousDigest) == [old.digest, nil])
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == old.digest)
        #expect(target.storage.repositories() == ["app"])
        let done = try await run(dry: false)
        #expect(done.totals?.uploadCount == plan.totals?.uploadCount)
        #expect(done.totals?.uploadByteCount == plan.totals?.uploadByteCount)
        #expect(done.totals?.mountCount == plan.totals?.mountCount)
        #expect(done.images.map(\.target) == plan.images.map(\.target))
        // All that was sent was sent by the push: what is left for the dry run is to ask.
        let requests = try await target.finish()
        let (plannedCount, doneCount) = (
            try #require(plan.totals?.requestCount), try #require(done.totals?.requestCount)
        )
        let (uploads, mounts) = (try #require(done.totals?.uploadCount), try #require(done.totals?.mountCount))
        #expect(requests.count == plannedCount + doneCount)
        #expect(requests.count("POST") == uploads + mounts)
        #expect(requests.count("PUT", containing: "/blobs/") == uploads)
        #expect(requests.count("PUT", containing: "/manifests/") == (policy == .skip ? 1 : 2))
        #expect(Set(requests.map(\.method)) == ["HEAD", "POST", "PUT"])
    }
}
