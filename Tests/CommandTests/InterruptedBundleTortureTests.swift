import Foundation
import OCI
import TestSupport
import Testing

/// A bundle is killed at any moment, again and again: the same command ends it, and asks again for next to nothing.
///
/// `DRAYAGE_KILLS` is how often, `DRAYAGE_TORTURE_SEED` makes the moments the same again.
@Suite struct InterruptedBundleTortureTests {
    private let terminal: Terminal
    private let server: ServeProcess
    private let site: SlowSite
    private let images: InterruptedImages
    /// A part of the images, which a run begins with that is then told to plan again.
    private let part: Set<String>
    private let seed = environmentNumber("DRAYAGE_TORTURE_SEED") ?? UInt64.random(in: 0...999_999_999)

    init() throws {
        terminal = try Terminal()
        images = try InterruptedImages()
        let place = try Terminal()
        try images.store(in: RegistryStorage(root: place.scratch.path("registry")))
        server = try ServeProcess(place, ["registry", "-q"])
        site = try SlowSite(server.address)
        part = Set(images.all.keys.sorted().enumerated().filter { $0.offset % 4 != 0 }.map(\.element))
    }

    @Test func `a bundle that is killed goes on where it was, whenever that is`() async throws {
        let kills = max(1, Int(environmentNumber("DRAYAGE_KILLS") ?? 4))
        var random = SplitMix64(seed: seed)
        let whole = try await finish([])
        let requests = site.requests(of: try await site.mark())
        #expect(requests.count { $0.isOfManifest } == images.documents.count)
        #expect(requests.count { $0.isOfBlob } == images.blobs.count)
        var tally = InterruptionTally(images)
        var round = 0
        while tally.killCount < kills {
            round += 1
            // Every other bundle begins with a part of the images, and is then told to be planned again.
            let isRefreshed = round % 2 == 0
            tally.begin()
            repeat {
                try await killRun(of: whole, isRefreshed: isRefreshed, &tally, using: &random)
            } while Bool.random(using: &random) && !terminal.scratch.contains("bundle.tar")
            let isThere = terminal.scratch.contains("bundle.tar")
            let bundle = try await finish(isRefreshed ? ["--refresh"] : [], isThere: isThere)
            tally.take(site.requests(of: try await site.mark()), nil, isKilled: false)
            try #require(bundle == whole, "seed \(seed), round \(round)")
            let story = "\(tally.problems.prefix(10)); \(tally.history)"
            try #require(tally.problems.isEmpty, "seed \(seed), round \(round): \(story)")
        }
        // Else next to nothing was tried.
        #expect(tally.middleCount * 2 >= kills, "seed \(seed)")
        print("torture: seed \(seed), \(round) bundles, \(tally.summary)")
    }

    private func arguments(_ names: [String], _ options: [String]) -> [String] {
        ["bundle", "-o", "bundle.tar", "-j", "\(SlowSite.parallelism)"] + options
            + names.sorted().map { "\(site.address)/\($0)" }
    }

    /// Starts a run and kills it.
    private func killRun(
        of whole: [UInt8],
        isRefreshed: Bool,
        _ tally: inout InterruptionTally,
        using random: inout SplitMix64
    ) async throws {
        let isPart = isRefreshed && tally.isFirstRun
        let isKilled = try kill(
            arguments(isPart ? Array(part) : Array(images.all.keys), isRefreshed && !isPart ? ["--refresh"] : []),
            at: KillMoment(number: tally.runCount, moves: tally.expectedMoves, using: &random),
            using: &random
        )
        let remains = try BundleRemains(of: whole, in: terminal.scratch)
        tally.take(site.requests(of: try await site.mark()), remains, isKilled: isKilled)
        // A bundle of a part that is done is not to be gone on with.
        guard isPart, remains.isDone else { return }
        unlink(terminal.scratch.path("bundle.tar"))
        tally.begin()
    }

    private func kill(_ arguments: [String], at moment: KillMoment, using random: inout SplitMix64) throws -> Bool {
        let delays: ClosedRange<UInt32> = if case .layout = moment { 0...2000 } else { 0...8000 }
        let (partial, site) = (terminal.scratch.path("bundle.tar.partial"), site)
        return try terminal.kill(arguments, after: .random(in: delays, using: &random)) {
            switch moment {
            case .request(let count): return site.requestCount >= count
            case .layout:
                var status = stat()
                return stat(partial, &status) == 0 && status.st_size > 0
            }
        }
    }

    /// Makes the bundle to its end, and gives its bytes; nothing is left, neither of it nor of what was killed.
    private func finish(_ options: [String], isThere: Bool = false) async throws -> [UInt8] {
        let outcome = try await terminal.command(arguments(Array(images.all.keys), options) + ["--json"]).run()
        if isThere {
            // It had been given its name when it was killed.
            #expect(outcome.errorText.hasPrefix("error: writing bundle.tar: it exists"), "\(outcome.errorText)")
        } else {
            try #require(outcome.status == 0, "seed \(seed): \(outcome.errorText)")
            let totals = try #require(try ReportDocument(outcome.output).totals)
            let fetched = try #require(totals.fetchedByteCount)
            #expect(fetched + (totals.keptByteCount ?? 0) == totals.byteCount, "seed \(seed)")
        }
        #expect(try terminal.scratch.names() == ["bundle.tar"], "seed \(seed)")
        defer { unlink(terminal.scratch.path("bundle.tar")) }
        return try terminal.scratch.read("bundle.tar")
    }
}
