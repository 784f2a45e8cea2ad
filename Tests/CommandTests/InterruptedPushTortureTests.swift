import Foundation
import OCI
import TestSupport
import Testing

/// A push is killed at any moment, again and again: no tag ever lacks anything, and the same command ends the push, and
/// sends nothing again that has arrived.
///
/// `DRAYAGE_KILLS` is how often, `DRAYAGE_TORTURE_SEED` makes the moments the same again.
@Suite struct InterruptedPushTortureTests {
    private let terminal: Terminal
    private let images: InterruptedImages
    private let seed = environmentNumber("DRAYAGE_TORTURE_SEED") ?? UInt64.random(in: 0...999_999_999)

    /// A registry's directory, which outlives the registry.
    private struct Place {
        private let terminal: Terminal
        private let scratch: ScratchDirectory
        var root: String { scratch.path }

        init() throws { (terminal, scratch) = (try Terminal(), try ScratchDirectory(inMemory: true)) }

        func start() throws -> ServeProcess { try ServeProcess(terminal, [root, "-q"]) }

        /// Lets a registry serve it for a while, and gives the requests that came through the proxy before it.
        func serve(_ body: (SlowSite) async throws -> Void) async throws -> [FaultProxy.Exchange] {
            let server = try start()
            let site = try SlowSite(server.address)
            try await body(site)
            // What a killed run has sent and nobody has read is lost, as it is in a network.
            site.stop()
            #expect(server.end() == 0)
            return site.requests
        }
    }

    init() throws {
        (terminal, images) = (try Terminal(), try InterruptedImages())
        let place = try Place()
        try images.store(in: RegistryStorage(root: place.root))
        let server = try place.start()
        let names = images.all.keys.map { "\(server.address)/\($0)" }
        let outcome = try terminal.command(["bundle", "-o", "bundle.tar"] + names).runBlocking()
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }

    @Test func `a push that is killed goes on where it was, whenever that is`() async throws {
        let kills = max(1, Int(environmentNumber("DRAYAGE_KILLS") ?? 4))
        var random = SplitMix64(seed: seed)
        var tally = PushTally(images)
        let first = try Place()
        try await finish(in: first, &tally)
        var round = 0
        while tally.killCount < kills {
            round += 1
            let place = try Place()
            tally.begin()
            repeat {
                try await killRun(in: place, &tally, using: &random)
            } while Bool.random(using: &random)
            try await finish(in: place, &tally)
            try #require(tally.problems.isEmpty, "seed \(seed), round \(round): \(tally.problems.prefix(10))")
        }
        // Else next to nothing was tried.
        #expect(tally.middleCount * 2 >= kills, "seed \(seed)")
        print("torture: seed \(seed), \(round) pushes, \(tally.summary)")
    }

    private func arguments(_ site: SlowSite) -> [String] {
        ["push", "bundle.tar", site.address, "-j", "\(SlowSite.parallelism)"]
    }

    private func killRun(in place: Place, _ tally: inout PushTally, using random: inout SplitMix64) async throws {
        let moment = KillMoment(number: tally.runCount, moves: tally.expectedMoves, using: &random)
        let delay = UInt32.random(in: 0...8000, using: &random)
        var isKilled = false
        let requests = try await place.serve { site in
            isKilled = try terminal.kill(arguments(site), after: delay) {
                switch moment {
                case .request(let count): site.requestCount >= count
                case .layout: site.requestCount > 0
                }
            }
        }
        tally.take(requests, try ServeTree(root: place.root), isKilled: isKilled)
    }

    /// Pushes to the end: every image is there.
    private func finish(in place: Place, _ tally: inout PushTally) async throws {
        let requests = try await place.serve { site in
            let outcome = try await terminal.command(arguments(site)).run()
            #expect(outcome.status == 0, "seed \(seed): \(outcome.errorText)")
        }
        let tree = try ServeTree(root: place.root)
        tally.take(requests, tree, isKilled: false)
        #expect(tree.tags == images.all.mapValues(\.digest), "seed \(seed)")
        #expect(tree.contents == images.documents.union(images.blobs.keys), "seed \(seed)")
    }
}
