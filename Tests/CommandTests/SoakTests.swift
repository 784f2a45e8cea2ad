import Foundation
import OCI
import TestSupport
import Testing

/// Bundles and pushes in a loop over a bad network, killed at random: whatever is completed is whole, and nothing grows.
///
/// `DRAYAGE_SOAK_SECONDS` is how long, `DRAYAGE_TORTURE_SEED` makes the faults and the moments the same again.
@Suite struct SoakTests {
    private static let seconds = environmentNumber("DRAYAGE_SOAK_SECONDS")
    /// Fewer where it is one test of many, and one round of it is made.
    private static let imageCount = seconds == nil ? 20 : 200
    private static let faultPercentage = 5
    /// What both servers open once, with the first requests that need it.
    private static let lazyFileCount = 4
    /// The most uploads that a server keeps open for pushes that were killed.
    private static let uploadLimit = 128

    private let terminal: Terminal
    private let peakFile: ScratchDirectory
    private let (source, target): (BadSite, BadSite)
    private let seed = environmentNumber("DRAYAGE_TORTURE_SEED") ?? UInt64.random(in: 0...999_999_999)

    init() throws {
        (terminal, peakFile) = (try Terminal(), try ScratchDirectory())
        source = try BadSite(seed: seed, percentage: Self.faultPercentage)
        target = try BadSite(seed: seed + 1, percentage: Self.faultPercentage)
        var builder = ImageBuilder(seed: 606)
        let base = try builder.opaqueLayer(byteCount: 200_000)
        for number in 0..<Self.imageCount {
            // Most layers are small, as they are everywhere, and some have a mebibyte.
            let own = try builder.opaqueLayer(byteCount: number % 20 == 0 ? 1 << 20 : 500 + number * 97)
            let image =
                number % 50 == 7
                ? try builder.multiPlatform(sharing: [base, own]) : try builder.image(layers: [base, own])
            try source.storage.add(image, repository: "team/app-\(number)", tag: "1")
        }
        let names = (0..<Self.imageCount).map { "\(source.address)/team/app-\($0):1\n" }
        try terminal.scratch.write(names.joined(), to: "list.txt")
    }

    @Test func `whatever is completed is whole, and nothing grows`() async throws {
        let end = ContinuousClock.now + .seconds(Int64(Self.seconds ?? 0))
        var random = SplitMix64(seed: seed)
        var tally = SoakTally(idleFileCount: try openFileCount() + Self.lazyFileCount)
        try await terminal.succeed("bundle", "-f", "list.txt", "-o", "whole.tar", "--retries", "8")
        let whole = try terminal.scratch.read("whole.tar")
        var round = 0
        repeat {
            round += 1
            try await bundle(round, whole, &tally, using: &random)
            try await push(round, &tally, using: &random)
            try tally.noteServers(source.server, target.server)
        } while ContinuousClock.now < end
        tally.lastFileCount = try await filesThatStayOpen(beyond: tally.idleFileCount)
        tally.uploadCount = try target.server.openUploadCount()
        #expect(tally.uploadCount <= Self.uploadLimit)
        let faults = source.faultCount + target.faultCount
        let requests = source.requestCount + target.requestCount
        print(
            "soak: seed \(seed), \(round) rounds of \(Self.imageCount) images, \(requests) requests, \(faults) faults, "
                + tally.summary
        )
        #expect(faults > requests / 100)
        #expect(Self.seconds == nil || tally.killCount > 0)
        tally.expectNoGrowth()
    }

    /// How many files both servers have open, but for those of uploads.
    private func openFileCount() throws -> Int {
        try [source.server, target.server].reduce(0) { try $0 + $1.openFileCount() - $1.openUploadCount() }
    }

    /// How many files the servers have open once the connections that kills have left are gone, for which they have time.
    private func filesThatStayOpen(beyond idle: Int) async throws -> Int {
        for _ in 0..<1200 where try openFileCount() > idle { try await Task.sleep(for: .milliseconds(100)) }
        return try openFileCount()
    }

    /// Makes the bundle, killed now and then: in the end it is the same, and nothing else is there.
    private func bundle(
        _ round: Int,
        _ whole: [UInt8],
        _ tally: inout SoakTally,
        using random: inout SplitMix64
    ) async throws {
        let arguments = ["bundle", "-f", "list.txt", "-o", "bundle.tar", "--retries", "8"]
        try killSometimes(arguments, at: source, &tally, using: &random)
        // It may have had its name already when it was killed.
        if !terminal.scratch.contains("bundle.tar") {
            try await finish(arguments, round, &tally)
        } else {
            // The next run removes what that one left.
            #expect(try await terminal.command(arguments).run().status == 1)
        }
        #expect(
            try terminal.scratch.names() == ["bundle.tar", "list.txt", "whole.tar"],
            "seed \(seed), round \(round)"
        )
        #expect(try terminal.scratch.read("bundle.tar") == whole, "seed \(seed), round \(round)")
        try await terminal.succeed("verify", "-q", "bundle.tar")
        tally.byteCount += Int64(whole.count)
        unlink(terminal.scratch.path("bundle.tar"))
    }

    /// Pushes the bundle to a place of its own, killed now and then: in the end everything is there.
    private func push(_ round: Int, _ tally: inout SoakTally, using random: inout SplitMix64) async throws {
        let place = "round-\(round)"
        let arguments = ["push", "whole.tar", "\(target.address)/\(place)", "--retries", "8"]
        try killSometimes(arguments, at: target, &tally, using: &random)
        try await finish(arguments, round, &tally)
        let check = try await terminal.succeed("verify", "whole.tar", "--at", "\(target.server.address)/\(place)")
        #expect(check.errorText.contains("\(Self.imageCount) images, all verified"))
    }

    /// Runs a command until it is done: where a registry said twice what cannot be, it is given up and is done by the next.
    private func finish(_ arguments: [String], _ round: Int, _ tally: inout SoakTally) async throws {
        // What the system says of a child of ours begins with our own size; a child of `time` is born small.
        var command = terminal.command(arguments)
        command.arguments = ["-f", "%M", "-o", peakFile.path("peak"), command.tool] + command.arguments
        command.tool = "time"
        var outcome = try await command.run()
        for _ in 0..<5 where outcome.status != 0 {
            tally.failures.append(
                outcome.errorText.split(separator: "\n").first { $0.hasPrefix("error: ") } ?? "no error"
            )
            outcome = try await command.run()
        }
        try #require(outcome.status == 0, "seed \(seed), round \(round): \(outcome.errorText)")
        let kibibytes = String(decoding: try peakFile.read("peak"), as: UTF8.self).split(separator: "\n").last
        tally.note(peak: try #require(kibibytes.flatMap { Int64($0) }) * 1024, of: arguments[0])
    }

    /// Starts a run and kills it after some of its requests, none to three times.
    private func killSometimes(
        _ arguments: [String],
        at site: BadSite,
        _ tally: inout SoakTally,
        using random: inout SplitMix64
    ) throws {
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let moment = site.requestCount + Int.random(in: 0...3 * Self.imageCount, using: &random)
            let delay = UInt32.random(in: 0...5000, using: &random)
            if try terminal.kill(arguments, after: delay, once: { site.requestCount >= moment }) {
                tally.killCount += 1
            }
        }
    }
}

/// A registry in a process of its own, behind a proxy that lets some of the requests fail.
private final class BadSite: Sendable {
    let server: ServeProcess
    let storage: RegistryStorage
    private let proxy: FaultProxy
    private let (requests, faults): (RequestCount, RequestCount)

    init(seed: UInt64, percentage: Int) throws {
        let terminal = try Terminal()
        storage = RegistryStorage(root: terminal.scratch.path("registry"))
        try FileManager.default.createDirectory(atPath: storage.root, withIntermediateDirectories: true)
        server = try ServeProcess(terminal, ["registry", "-q"])
        let (requests, faults) = (RequestCount(), RequestCount())
        let script = FaultProxy.random(seed: seed, percentage: percentage)
        proxy = try FaultProxy(to: server.address) { request, count in
            requests.add()
            guard let fault = script(request, count) else { return nil }
            faults.add()
            return fault
        }
        (self.requests, self.faults) = (requests, faults)
    }

    var address: String { proxy.address }
    var requestCount: Int { requests.value }
    var faultCount: Int { faults.value }
}

/// What a soak counts.
private struct SoakTally {
    var killCount = 0
    var byteCount: Int64 = 0
    /// Why runs ended that the next one has completed.
    var failures: [Substring] = []
    /// The most memory of each run that was completed, by its command.
    private var peaks: [String: [Int64]] = [:]
    /// How many files both servers had open before the first round, and in the end.
    let idleFileCount: Int
    var lastFileCount = 0
    /// How many uploads of killed pushes are kept open besides.
    var uploadCount = 0
    /// The most memory that both servers had until the end of each round.
    private var serverPeaks: [Int64] = []

    init(idleFileCount: Int) { self.idleFileCount = idleFileCount }

    mutating func note(peak: Int64, of command: String) {
        peaks[command, default: []].append(peak)
    }

    mutating func noteServers(_ source: ServeProcess, _ target: ServeProcess) throws {
        serverPeaks.append(try source.peakByteCount() + target.peakByteCount())
    }

    var summary: String {
        func size(_ count: Int64?) -> String { ByteText.size(count ?? 0) }
        let runs = peaks.sorted { $0.key < $1.key }.map { command, peaks in
            "a \(command) took \(size(peaks.first)) at first, \(size(peaks.max())) at most, \(size(peaks.last)) in the end"
        }
        return """
            \(killCount) kills, \(failures.count) runs given up \(failures), \(size(byteCount)) in bundles; \(runs.joined(separator: "; ")); the two servers had \
            \(idleFileCount) files open before the first round and \(lastFileCount) after the last, and \(uploadCount) \
            uploads for whoever goes on with them, \
            \(size(serverPeaks.first)) of memory after the first and \(size(serverPeaks.last)) after the last
            """
    }

    /// Expects that the last rounds took no more than the first.
    func expectNoGrowth() {
        // A run's memory depends on what was under way at once, which chance decides, and not on how many runs were before.
        for peaks in peaks.values { #expect((peaks.last ?? 0) < (peaks.first ?? 0) * 3 / 2 + 16 << 20) }
        #expect(lastFileCount <= idleFileCount)
        #expect((serverPeaks.last ?? 0) < (serverPeaks.first ?? 0) * 3 / 2 + 16 << 20)
    }
}
