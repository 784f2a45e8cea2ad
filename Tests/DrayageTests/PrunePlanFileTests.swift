import Foundation
import OCI
import TestSupport
import Testing

@testable import Drayage

/// Plans that are made now and carried out later.
@Suite(.timeLimit(.minutes(10)), .serialized) struct PrunePlanFileTests {
    /// A plan as it comes back from a file.
    private func throughFile(_ plan: PrunePlan?) throws -> PrunePlan {
        try JSONDecoder().decode(PrunePlan.self, from: try JSONEncoder().encode(try #require(plan)))
    }

    @Test func `a plan is carried out exactly, whatever has come since`() async throws {
        var site = try PruneSite(.directory)
        let kept = try site.addImage("a/app", tag: "1")
        let gone = try site.addImage("a/app", tag: "0")
        let plan = try throughFile(try await site.prune(["a/app:1"]) { $0.isDryRun = true }.plan)
        // Nobody requires it, and no plan says that it goes.
        let later = try site.addImage("a/app", tag: "2")
        let report = try await site.apply(plan)
        #expect(report.outcome == .done)
        #expect(report.removed?.tagCount == 1)
        try await site.expect(
            .init(
                kept: [(kept, "a/app", "1"), (later, "a/app", "2")],
                goneTags: [("a/app", "0")],
                goneManifests: [(gone, "a/app")]
            )
        )
        // Done again, there is nothing left to do.
        #expect(try await site.apply(plan).removed?.tagCount == 0)
    }

    @Test(arguments: PruneWay.allCases)
    func `a plan is refused where a tag has come that needs what goes`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let kept = try site.addImage("a/app", tag: "1")
        let image = try site.addImage("a/app", tag: "0")
        try await site.withTarget { target, pruner in
            var options = Pruner.Options()
            options.grace = .zero
            options.isDryRun = true
            let plan = try throughFile(
                try await pruner.prune(target, keeping: .of(["a/app:1"]), options: options, approve: { _ in false })
                    .plan
            )
            try site.storage.setTag("release", to: image.digest, repository: "a/app")
            for isDryRun in [true, false] {
                options.isDryRun = isDryRun
                await #expect {
                    try await pruner.apply(plan, to: target, options: options, approve: { _ in true })
                } throws: { error in
                    "\(error)".contains("a/app:release points at \(image.digest), which is to go")
                }
            }
        }
        try await site.expect(
            .init(kept: [(kept, "a/app", "1"), (image, "a/app", "0"), (image, "a/app", "release")])
        )
    }

    @Test(arguments: PruneWay.allCases)
    func `a plan that goes stale while somebody thinks about it is not carried out`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let kept = try site.addImage("a/app", tag: "1")
        let image = try site.addImage("a/app", tag: "0")
        let storage = site.storage
        await #expect(throws: DrayageError.self) {
            try await site.prune(["a/app:1"]) { _ in
            } approve: { _ in
                try storage.setTag("0", to: kept.digest, repository: "a/app")
                return true
            }
        }
        try await site.expect(.init(kept: [(kept, "a/app", "1"), (kept, "a/app", "0"), (image, "a/app", nil)]))
    }

    @Test(arguments: PruneWay.allCases)
    func `a plan that is not approved is not carried out`(way: PruneWay) async throws {
        var site = try PruneSite(way)
        let kept = try site.addImage("a/app", tag: "1")
        let image = try site.addImage("a/app", tag: "0")
        await #expect(throws: DrayageError.self) {
            try await site.prune(["a/app:1"]) { _ in
            } approve: { _ in
                false
            }
        }
        try await site.expect(.init(kept: [(kept, "a/app", "1"), (image, "a/app", "0")]))
    }

    @Test func `a plan for another registry is refused`() async throws {
        var site = try PruneSite(.directory)
        try site.addImage("a/app", tag: "1")
        let plan = try await site.prune(["a/app:1"]) { $0.isDryRun = true }.plan
        let other = try PruneSite(.directory)
        try other.add(try site.builder.image(), "a/app", tag: "1")
        await #expect(throws: DrayageError.self) { try await other.apply(try #require(plan)) }
    }

    /// What of a plan's text is replaced, and by what.
    ///
    /// The sum of such uploads would have ended the program.
    @Test(arguments: [
        ("prune-plan.v1", "prune-plan.v2"), (#""repositories":["#, #""repositories":[TWICE,"#),
        (#""uploadCount":0"#, #""uploadCount":9223372036854775807"#), (#""uploadCount":0"#, #""uploadCount":-1"#),
        (#""byteCount":"#, #""byteCount":-"#), (#""freedByteCount":"#, #""freedByteCount":-"#),
    ])
    func `a plan that this version did not make is refused`(text: String, replacement: String) async throws {
        var site = try PruneSite(.directory)
        try site.addImage("a/app", tag: "1")
        let image = try site.addImage("a/app", tag: "0")
        let plan = try #require(try await site.prune(["a/app:1"]) { $0.isDryRun = true }.plan)
        let repository = String(decoding: try JSONEncoder().encode(plan.repositories[0]), as: UTF8.self)
        let json = String(decoding: try JSONEncoder().encode(plan), as: UTF8.self)
            .replacingOccurrences(of: text, with: replacement.replacingOccurrences(of: "TWICE", with: repository))
        let altered = try JSONDecoder().decode(PrunePlan.self, from: Data(json.utf8))
        await #expect { try await site.apply(altered) } throws: { ($0 as? DrayageError)?.code == .usage }
        try await site.expect(.init(kept: [(image, "a/app", "0")]))
    }

    @Test(arguments: [
        (#""1""#, #""../../1""#), (#""a\/app""#, #""a/../../etc""#), ("sha256:", "sha256:../"), ("remove", "destroy"),
    ])
    func `a plan with a name that none can have is refused`(text: String, replacement: String) async throws {
        var site = try PruneSite(.directory)
        try site.addImage("a/app", tag: "1")
        try site.addImage("a/app", tag: "0")
        let plan = try #require(try await site.prune(["a/app:0"]) { $0.isDryRun = true }.plan)
        let json = String(decoding: try JSONEncoder().encode(plan), as: UTF8.self)
        #expect(json.contains(text))
        let altered = Data(json.replacingOccurrences(of: text, with: replacement).utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(PrunePlan.self, from: altered) }
    }
}
