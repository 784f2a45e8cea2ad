import Foundation
import OCI
import TestSupport
import Testing

/// A server is killed in the middle of uploads, again and again, and keeps its word.
///
/// `DRAYAGE_TORTURE_ROUNDS` is how often, `DRAYAGE_TORTURE_SEED` makes what is uploaded the same again.
@Suite struct TortureTests {
    private let terminal: Terminal
    private let storage: RegistryStorage
    private let record = TortureRecord()
    private let seed = environmentNumber("DRAYAGE_TORTURE_SEED") ?? UInt64.random(in: 0...999_999_999)

    init() throws {
        terminal = try Terminal()
        storage = RegistryStorage(root: terminal.scratch.path("registry"))
        try FileManager.default.createDirectory(atPath: storage.root, withIntermediateDirectories: true)
    }

    @Test func `what was acknowledged survives a kill at any moment, and nothing else is seen`() async throws {
        let rounds = environmentNumber("DRAYAGE_TORTURE_ROUNDS") ?? 4
        let pool = try TortureBlob.pool(seed: seed)
        var random = SplitMix64(seed: seed)
        for round in 1...max(1, rounds) {
            try await killDuringUploads(pool, seed: random.next(), after: .random(in: 30_000...900_000, using: &random))
            try resume()
            try await cleanUp()
            try #require(record.problems.isEmpty, "seed \(seed), round \(round): \(record.problems.prefix(20))")
        }
        try openWithDockerRegistry()
        #expect(record.problems.isEmpty, "seed \(seed): \(record.problems.prefix(20))")
        print("torture: seed \(seed), \(rounds) kills, \(record.acknowledgements) acknowledged requests kept")
    }

    /// Lets workers loose on a server and kills it.
    private func killDuringUploads(_ pool: [TortureBlob], seed: UInt64, after microseconds: UInt32) async throws {
        let server = try ServeProcess(terminal, ["registry", "-q"])
        let count = 6
        _ = await ServeThreads.run(count + 1) { [record] number in
            guard number < count else {
                usleep(microseconds)
                return server.signal(SIGKILL)
            }
            do {
                var worker = try TortureWorker(number, server.address, record, pool, seed: seed)
                worker.run()
            } catch {
                // Only where it was killed before it was even connected to.
                if !server.hasEnded { record.fail("worker \(number): \(error)") }
            }
        }
        if server.wait() != 128 + SIGKILL { record.fail("the server ended by itself: \(server.log)") }
    }

    /// Checks what a server makes of what was left, and goes on with every other upload that broke off.
    private func resume() throws {
        let server = try ServeProcess(terminal, ["registry", "-q"])
        let client = try ServeClient(server.address)
        try check(client)
        for (index, (location, session)) in record.sessions.enumerated() {
            record.note(location, nil)
            let status = try client.ask("GET", location)
            guard status.status == 204 else {
                if status.status != 404 || !session.isEnding { record.fail("\(location): \(status.status)") }
                continue
            }
            let last = status.headers["range"]?.split(separator: "-").last.flatMap { Int($0) } ?? -1
            let byteCount = last == 0 ? session.byteCount : last + 1
            if byteCount < session.byteCount { record.fail("\(location) has lost bytes: \(byteCount) of \(session)") }
            guard index.isMultiple(of: 2) else { continue }
            let bytes = session.blob.bytes[byteCount...]
            let answer = try client.ask("PUT", "\(location)?digest=\(session.blob.digest)", body: bytes)
            guard answer.status == 201 else {
                record.fail("\(location) cannot be gone on with after byte \(byteCount): \(answer.text)")
                continue
            }
            record.acknowledge(.blob(session.repository, session.blob.digest), session.blob.digest)
        }
        if server.end(SIGKILL) != 128 + SIGKILL { record.fail("the server ended by itself: \(server.log)") }
    }

    /// Checks that everything is as it may be, with one server or another.
    private func check(_ client: ServeClient) throws {
        let accepted = ["Accept": "application/vnd.oci.image.manifest.v1+json"]
        for (item, allowed) in record.items {
            let answer = try client.ask("GET", item.target, headers: accepted, keepsBody: false)
            let found = answer.status == 200 ? answer.digest : nil
            if !allowed.contains(found) || ![200, 404].contains(answer.status) {
                record.fail("\(item) is \(answer.status) \(answer.digest), and should be \(allowed)")
            }
            record.settle(item, found)
        }
    }

    /// Checks that no upload outlives its time, and accounts for every file.
    private func cleanUp() async throws {
        // A server that starts removes what is old enough.
        try await Task.sleep(for: .seconds(1))
        let server = try ServeProcess(terminal, ["registry", "-q", "--upload-expiry", "1s"])
        try await until { (try? ServeTree.uploads(root: storage.root)) == [] }
        let tree = try ServeTree(root: storage.root)
        for problem in tree.problems { record.fail(problem) }
        for (item, allowed) in record.items where !allowed.contains(tree.digest(of: item)) {
            record.fail("\(item) is not \(allowed) any more")
        }
        if server.end() != 0 || !server.log.isEmpty { record.fail("the server did not end well: \(server.log)") }
    }

    /// Checks that another registry finds the same in the directory.
    private func openWithDockerRegistry() throws {
        let registry = try DockerRegistry(root: storage.root)
        try check(ServeClient(registry.address))
    }
}

extension ServeTree {
    /// What something is; nil where it is not there.
    fileprivate func digest(of item: TortureRecord.Item) -> Digest? {
        switch item {
        case .blob(let repository, let digest): blobs[repository]?.contains(digest) == true ? digest : nil
        case .manifest(let repository, let digest): manifests[repository]?.contains(digest) == true ? digest : nil
        case .tag(let repository, let tag): tags["\(repository):\(tag)"]
        }
    }
}
