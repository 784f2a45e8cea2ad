import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Blobs that break off and go on.
@Suite struct ResumeTests {
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

    @Test(arguments: [
        Answer.Transfer.truncated(after: 70_000), .reset(after: 70_000), .stalled(after: 70_000),
    ])
    func `a blob that breaks off goes on after the last byte`(transfer: Answer.Transfer) async throws {
        let registry = try ScriptedRegistry { [bytes, turns = Turns()] request in
            let answer = Answer.range(of: bytes, request)
            return turns.next() == 1 ? answer.sent(transfer) : answer
        }
        var configuration = clock.configuration()
        configuration.idleTimeout = .seconds(2)
        try await fetch(from: registry.address, configuration)
        #expect(received.bytes == bytes)
        #expect(received.isInOrder)
        #expect(received.restarts.isEmpty)
        try #require(registry.requests.count == 2)
        let start = try #require(clock.retries.first).error
        #expect([.connectionLost, .timeout].contains(start.code))
        // A reset may take away what had arrived and was not read yet.
        let range = try #require(registry.requests[1].header("Range")?.wholeMatch(of: /bytes=([0-9]+)-/)?.1)
        #expect(try #require(Int(range)) <= 70_000)
        #expect(registry.requests[1].header("If-Range") == "\"1\"")
        #expect(registry.requests[0].header("Range") == nil)
    }

    @Test func `bytes that are cut without a word are the blob's too`() async throws {
        let registry = try ScriptedRegistry { [bytes] request in
            request.header("Range") == nil
                ? Answer(body: Array(bytes.prefix(70_000)), transfer: .untilClose) : .range(of: bytes, request)
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(registry.requests.map { $0.header("Range") } == [nil, "bytes=70000-"])
        #expect(received.restarts.isEmpty)
    }

    @Test func `only the end of the answer was lost`() async throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunk = HTTPRequest.chunk(bytes)
        let registry = try ScriptedRegistry { _ in .raw(Array(head.utf8) + chunk) }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(registry.requests.count == 1)
    }

    /// A tag that is weak says nothing of bytes, and some registries send none.
    @Test(arguments: ["W/\"1\"", nil])
    func `without a strong tag the range is asked for by itself`(tag: String?) async throws {
        let registry = try ScriptedRegistry { [bytes, turns = Turns()] request in
            let answer = Answer.range(of: bytes, request, tag: tag)
            return turns.next() == 1 ? answer.sent(.truncated(after: 9)) : answer
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(registry.requests.map { $0.header("Range") } == [nil, "bytes=9-"])
        #expect(registry.requests.allSatisfy { $0.header("If-Range") == nil })
    }

    @Test func `as long as bytes come, failures do not add up`() async throws {
        let registry = try ScriptedRegistry { [bytes] request in
            let answer = Answer.range(of: bytes, request)
            return answer.body.count > 10_000 ? answer.sent(.truncated(after: 10_000)) : answer
        }
        var configuration = clock.configuration()
        configuration.retryLimit = 1
        try await fetch(from: registry.address, configuration)
        #expect(received.bytes == bytes)
        #expect(registry.requests.count == 20)
        #expect(clock.waits == (1..<20).map { _ in .milliseconds(500) })
        #expect(received.restarts.isEmpty)
    }

    @Test func `failures without a byte add up`() async throws {
        let registry = try ScriptedRegistry { [bytes] request in
            let isFirst = request.header("Range") == nil
            return Answer.range(of: bytes, request).sent(.truncated(after: isFirst ? 10_000 : 0))
        }
        var configuration = clock.configuration()
        configuration.retryLimit = 3
        let error = try await failure { try await fetch(from: registry.address, configuration) }
        #expect(error.code == .connectionLost)
        #expect(error.attempts?.count == 4)
        #expect(registry.requests.map { $0.header("Range") } == [nil] + (1...3).map { _ in "bytes=10000-" })
    }

    @Test(arguments: RegistryKind.allCases)
    func `real registries go on where they are asked to`(kind: RegistryKind) async throws {
        let real = try await kind.start()
        try real.storage.add(blob, repository: "app")
        let registry = try ScriptedRegistry { [bytes, address = real.address] request in
            request.header("Range") == nil
                ? Answer(headers: [("ETag", "\"1\"")], body: bytes, transfer: .truncated(after: 70_000))
                : .redirect(to: "http://\(address)\(request.target)")
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
    }

    @Test func `a range is asked for at the registry, not where it redirected to`() async throws {
        let turns = Turns()
        let storage = try ScriptedRegistry { [bytes] request in
            // A link is good for once.
            guard request.query["link"] == "\(turns.next())" else { return Answer(403) }
            let answer = Answer.range(of: bytes, request)
            return request.header("Range") == nil ? answer.sent(.truncated(after: 5)) : answer
        }
        let links = Turns()
        let registry = try ScriptedRegistry { [address = storage.address] _ in
            .redirect(to: "http://\(address)/storage?link=\(links.next())")
        }
        try await fetch(from: registry.address)
        #expect(received.bytes == bytes)
        #expect(registry.requests.count == 2)
        #expect(storage.requests.map { $0.header("Range") } == [nil, "bytes=5-"])
    }
}
