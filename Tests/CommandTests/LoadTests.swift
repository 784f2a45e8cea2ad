import Foundation
import OCI
import TestSupport
import Testing

/// Many clients at once.
///
/// `DRAYAGE_LOAD_SECONDS` is for how long.
@Suite struct LoadTests {
    private static let pullers = 64
    private static let pushers = 16

    private let terminal: Terminal

    init() throws {
        terminal = try Terminal()
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
    }

    @Test func `pullers and pushers of the same blobs get every byte, and nothing is lost or torn`() async throws {
        let server = try ServeProcess(terminal, ["registry", "-q"])
        // A first request has what is opened once and stays.
        #expect(try server.ask("GET", "/v2/_catalog").status == 200)
        let openFileCount = try server.openFileCount()
        let record = LoadRecord()
        let seconds = environmentNumber("DRAYAGE_LOAD_SECONDS") ?? 3
        let openFileCounts = await ServeThreads.run(Self.pullers + Self.pushers + 1) { number in
            guard number < Self.pullers + Self.pushers else {
                return Self.end(record, after: seconds, watching: server)
            }
            Self.work(number, server.address, record)
            return 0
        }
        print("load: \(seconds) s, \(record.summary), peak \(try server.peakByteCount() >> 20) MiB,", terminator: " ")
        print("open files: \(openFileCount) before, at most \(openFileCounts.max() ?? 0)")
        #expect(record.problems.isEmpty, "\(record.problems.count): \(record.problems.prefix(10))")
        try await until { try server.openFileCount() <= openFileCount }
        try expectEverything(of: record, server)
        #expect(server.end() == 0)
        #expect(server.log == "")
        try expectWholeDirectory(of: record)
    }

    /// Works until it is over; now and then over a new connection.
    private static func work(_ number: Int, _ address: String, _ record: LoadRecord) {
        var random = SplitMix64(seed: UInt64(number))
        do {
            while !record.hasEnded {
                let client = try ServeClient(address)
                let next = random.next()
                if number < pushers {
                    var pusher = LoadPusher(client: client, record: record, random: SplitMix64(seed: next))
                    for _ in 0..<50 where !record.hasEnded { try pusher.push() }
                } else {
                    var puller = LoadPuller(client: client, record: record, random: SplitMix64(seed: next))
                    for _ in 0..<200 where !record.hasEnded { try puller.pull() }
                }
            }
        } catch {
            record.fail("client \(number): \(error)")
        }
    }

    /// Ends it after a while, and says how many files the server ever had open, as far as looking now and then tells.
    private static func end(_ record: LoadRecord, after seconds: UInt64, watching server: ServeProcess) -> Int {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var most = 0
        while ContinuousClock.now < deadline {
            most = max(most, (try? server.openFileCount()) ?? 0)
            usleep(50_000)
        }
        record.end()
        return most
    }

    /// Reads back whatever was acknowledged.
    private func expectEverything(of record: LoadRecord, _ server: ServeProcess) throws {
        let client = try ServeClient(server.address)
        #expect(record.stored.count > Self.pushers)
        for (target, digest) in record.stored {
            let answer = try client.ask("GET", target, keepsBody: false)
            #expect(answer.status == 200 && answer.digest == digest, "\(target): \(answer.status) \(answer.digest)")
        }
    }

    /// Verifies what is on disk without any registry, and that nothing else is there.
    private func expectWholeDirectory(of record: LoadRecord) throws {
        let root = terminal.scratch.path("registry")
        let tree = try ServeTree(root: root)
        #expect(tree.problems == [])
        #expect(tree.contents == Set(record.stored.map(\.digest)))
        #expect(try ServeTree.uploads(root: root) == [])
    }
}
