import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Registries that will not have a blob fetched by several requests, or do it badly.
@Suite struct RangedFaultTests {
    private static let byteCount = 3 << 19

    private let clock = TestClock()
    private let blob: TestBlob
    private let bytes: [UInt8]
    private let place = RangedPlace(byteCount: byteCount)
    private let help = HelpCount()

    init() throws {
        blob = try TestBlob.random(Self.byteCount)
        bytes = try blob.bytes
    }

    /// Fetches the blob from a registry behind a proxy.
    ///
    /// - Parameters:
    ///   - helpCount: how many requests for pieces come before the first request is answered.
    ///   - piece: decides on a request for a piece.
    /// - Returns: the proxy.
    /// - Throws: what fetching throws.
    private func fetch(
        waitingFor helpCount: Int,
        piece: @escaping @Sendable (_ number: Int) -> FaultProxy.Fault?
    ) async throws -> FaultProxy {
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(blob, repository: "app")
        let proxy = try FaultProxy(to: registry.address) { [help] request, _ in
            help.decide(request, waitingFor: helpCount, piece: piece)
        }
        var configuration = clock.configuration()
        configuration.ranges = .forTests
        let repository = try Repository(registry: proxy.address, path: "app")
        try await withClient(configuration) {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: place.place)
        }
        #expect(place.bytes == bytes)
        #expect(place.notesWereTrue)
        return proxy
    }

    @Test func `a registry that ignores ranges sends the blob once`() async throws {
        let proxy = try await fetch(waitingFor: 1) { _ in .askingForRange(nil) }
        #expect(place.writtenCount == bytes.count)
        #expect(place.restarts.isEmpty)
        #expect(place.lost == 0)
        // One request has found out, and nobody asks again.
        #expect(proxy.ranges.count == 2)
    }

    /// What a registry says that serves nobody twice at a time, and the like.
    @Test(arguments: [403, 404, 416, 429, 500, 503])
    func `a registry that turns the second request away sends the blob once`(status: Int) async throws {
        let proxy = try await fetch(waitingFor: 1) { _ in .status(status) }
        #expect(place.writtenCount == bytes.count)
        #expect(place.restarts.isEmpty)
        #expect(proxy.ranges.count == 2)
        // It was help that was refused, nothing that has to be had.
        #expect(clock.retries.isEmpty)
    }

    @Test func `a registry that serves few at a time gets few requests`() async throws {
        // The third and all after it for a while.
        let proxy = try await fetch(waitingFor: 10) { (3...8).contains($0) ? .status(503) : nil }
        #expect(place.writtenCount == bytes.count)
        #expect(place.rewrittenCount == 0)
        #expect(place.restarts.isEmpty)
        #expect(proxy.ranges.count > 10)
    }

    @Test(arguments: [
        FaultProxy.Fault.transfer(.reset(after: 20_000)), .transfer(.truncated(after: 20_000)), .http10,
    ])
    func `a piece that breaks off goes on after its last byte`(fault: FaultProxy.Fault) async throws {
        let proxy = try await fetch(waitingFor: 10) { $0 % 3 == 0 ? fault : nil }
        #expect(place.rewrittenCount == 0)
        #expect(place.writtenCount == bytes.count)
        #expect(proxy.ranges.count > 10)
    }

    @Test func `bytes that are wrong in a piece are fetched again, by one request`() async throws {
        let proxy = try await fetch(waitingFor: 2) { $0 == 2 ? .flipped(at: 1000) : nil }
        #expect(place.restarts == [Int64(bytes.count)])
        #expect(place.writtenCount == 2 * bytes.count)
        #expect(proxy.ranges.last == .some(nil))
        #expect(proxy.ranges.count { $0 == nil } == 2)
    }

    @Test(arguments: [
        FaultProxy.Fault.contentRange("bytes 0-1/1572864"), .contentRange(nil),
        .altered(answer: [("ETag", "\"another\"")]), .shortened(to: 20_000),
    ])
    func `what is another range, or of another blob, is not taken`(fault: FaultProxy.Fault) async throws {
        _ = try await fetch(waitingFor: 4) { $0 == 4 ? fault : nil }
        // The pieces that had come ahead are fetched again, and what came before stays.
        #expect(place.restarts.isEmpty)
        #expect(place.rewrittenCount == Int(place.lost))
    }

    /// It says no length, so that the end of the body is all that tells how much it is.
    @Test func `more than there may be is an error, and no loop`() async throws {
        let head = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        let body = HTTPRequest.chunk(bytes) + HTTPRequest.chunk([1, 2, 3]) + Array("0\r\n\r\n".utf8)
        let registry = try ScriptedRegistry { request in
            request.method == "HEAD" ? Answer(404) : .raw(head + body)
        }
        var configuration = clock.configuration()
        configuration.ranges = .forTests
        // Whoever looks meanwhile whether help is needed would find the blob whole, and read no further.
        configuration.ranges.interval = .seconds(600)
        let repository = try registry.repository()
        let error = try await clientFailure(configuration) {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: place.place)
        }
        #expect(error.code == .sizeMismatch(expected: Int64(bytes.count), actual: Int64(bytes.count) + 3))
    }

    @Test func `a registry that stops in the middle is told`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(blob, repository: "app")
        let proxy = try FaultProxy(to: registry.address) { [help] request, _ in
            help.decide(request, waitingFor: 6) { $0 > 5 ? .status(500) : nil }
        }
        var configuration = clock.configuration()
        configuration.ranges = .forTests
        let repository = try Repository(registry: proxy.address, path: "app")
        let error = try await clientFailure(configuration) {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: place.place)
        }
        #expect(error.status == 500)
        #expect(error.attempts?.count == 9)
        #expect(place.notesWereTrue)
        #expect(try #require(place.notes.last) < Int64(bytes.count))
    }

    @Test func `a cancelled fetch ends at once`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(blob, repository: "app")
        let proxy = try FaultProxy(to: registry.address) { _, _ in .dripping(byteCount: 1024, every: .milliseconds(20))
        }
        var configuration = clock.configuration()
        configuration.ranges = .forTests
        let repository = try Repository(registry: proxy.address, path: "app")
        let task = Task { [configuration, place, blob] in
            try await withClient(configuration) {
                try await $0.fetchBlob(blob.descriptor, from: repository, into: place.place)
            }
        }
        while proxy.ranges.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}
