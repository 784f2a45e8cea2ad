import OCI
import RegistryClient
import TestSupport
import Testing

/// Blobs that break off, or are wrong, and have to begin again.
@Suite struct RestartTests {
    private let clock = TestClock()
    private let blob: TestBlob
    private let bytes: [UInt8]
    private let received = Received()

    init() throws {
        blob = try TestBlob.random(200_000)
        bytes = try blob.bytes
    }

    private func fetch(
        from registry: String,
        _ configuration: RegistryClient.Configuration? = nil
    ) async throws {
        try await received.fetch(blob, from: registry, configuration ?? clock.configuration())
    }

    /// What a server answers to the request for the rest of the blob from byte 70,000 on.
    enum Wrong: CaseIterable, Sendable {
        case ignored, otherStart, otherTotal, noRange, shortRange, wrongLength, otherTag, unsatisfiable

        func answer(_ bytes: [UInt8]) -> Answer {
            func part(_ place: String, tag: String = "\"1\"") -> Answer {
                Answer(206, headers: [("Content-Range", place), ("ETag", tag)], body: Array(bytes[70_000...]))
            }
            return switch self {
            case .ignored: Answer(body: bytes)
            case .otherStart: part("bytes 69999-199999/200000")
            case .otherTotal: part("bytes 70000-199999/200001")
            case .noRange: Answer(206, body: Array(bytes[70_000...]))
            case .shortRange: part("bytes 70000-100000/200000")
            case .wrongLength: part("bytes 70000-199999/200000").sent(.declaring(5))
            case .otherTag: part("bytes 70000-199999/200000", tag: "\"2\"")
            case .unsatisfiable: Answer(416, headers: [("Content-Range", "bytes */200000")])
            }
        }
    }

    @Test(arguments: Wrong.allCases)
    func `an answer that does not go on makes the blob begin again`(wrong: Wrong) async throws {
        let turns = Turns()
        let registry = try ScriptedRegistry { [bytes] request in
            if request.header("Range") != nil { return wrong.answer(bytes) }
            let isFirst = turns.next() == 1
            return Answer.range(of: bytes, request).sent(isFirst ? .truncated(after: 70_000) : .whole)
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(received.restarts == [70_000])
        let asked = registry.requests.map { $0.header("Range") }
        #expect(asked == [nil, "bytes=70000-"] + (wrong == .ignored ? [] : [nil]))
        // It is no failure, so there is no wait for it.
        #expect(clock.waits == [.milliseconds(500)])
    }

    /// Each time it gets no further than before, which ends.
    @Test func `a blob that always breaks off at the same place without ranges fails`() async throws {
        let registry = try ScriptedRegistry { [bytes] _ in Answer(body: bytes, transfer: .truncated(after: 70_000)) }
        var configuration = clock.configuration()
        configuration.retryLimit = 3
        let error = try await failure { try await fetch(from: registry.address, configuration) }
        #expect(error.code == .connectionLost)
        #expect(registry.requests.count == 4)
        #expect(received.restarts == [70_000, 70_000, 70_000])
    }

    @Test(arguments: [0, 100_000, 199_999])
    func `a blob with a flipped bit is fetched again as a whole`(position: Int) async throws {
        var wrong = bytes
        wrong[position] ^= 1
        let registry = try faulty([Answer(body: wrong)]) { [bytes] in .range(of: bytes, $0) }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(received.restarts == [200_000])
        #expect(registry.requests.map { $0.header("Range") } == [nil, nil])
    }

    @Test func `a flipped bit in the part before the break is found at the end`() async throws {
        var wrong = bytes
        wrong[5] ^= 1
        let registry = try faulty([Answer(body: wrong, transfer: .truncated(after: 70_000))]) { [bytes] in
            .range(of: bytes, $0)
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(received.restarts == [200_000])
        #expect(registry.requests.map { $0.header("Range") } == [nil, "bytes=70000-", nil])
    }

    @Test func `a blob that is wrong in the registry is fetched twice and no more`() async throws {
        let wrong = Array(bytes.reversed())
        let registry = try ScriptedRegistry { .range(of: wrong, $0) }
        let error = try await failure { try await fetch(from: registry.address) }
        #expect(error.code == .digestMismatch(expected: blob.digest, actual: try Digest.of(wrong)))
        #expect(error.attempts?.count == 2)
        #expect(registry.requests.count == 2)
    }

    @Test func `more bytes than there are make the blob begin again`() async throws {
        let registry = try faulty([Answer(body: bytes + [0], transfer: .chunked)]) { [bytes] in .range(of: bytes, $0) }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(registry.requests.map { $0.header("Range") } == [nil, nil])
    }

    @Test func `a part that nobody asked for is no blob`() async throws {
        let registry = try ScriptedRegistry { [bytes] _ in
            Answer(206, headers: [("Content-Range", "bytes 0-199999/200000")], body: bytes)
        }
        let error = try await failure { try await fetch(from: registry.address) }
        #expect(error.status == 206)
        #expect(received.bytes.isEmpty)
    }
}
