import Foundation
import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// Large blobs over slow connections, which are fetched by several requests at once.
@Suite struct RangedFetchTests {
    private static let byteCount = 3 << 19

    private let clock = TestClock()
    private let blob: TestBlob
    private let bytes: [UInt8]
    private let place = RangedPlace(byteCount: byteCount)

    init() throws {
        blob = try TestBlob.random(Self.byteCount)
        bytes = try blob.bytes
    }

    /// A registry that has the blob, behind a proxy.
    private func withProxy(
        _ kind: RegistryKind = .embedded,
        script: @escaping FaultProxy.Script = { _, _ in .slow },
        _ body: (FaultProxy) async throws -> Void
    ) async throws {
        let registry = try await kind.start()
        try registry.storage.add(blob, repository: "app")
        try await body(try FaultProxy(to: registry.address, script: script))
    }

    private func fetch(
        from proxy: FaultProxy,
        after prefix: Int = 0,
        _ beginning: [UInt8]? = nil,
        _ change: (inout RegistryClient.Configuration) -> Void = { _ in }
    ) async throws {
        var configuration = clock.configuration()
        configuration.ranges = .forTests
        change(&configuration)
        let repository = try Repository(registry: proxy.address, path: "app")
        let beginning = beginning ?? Array(bytes[..<prefix])
        place.fill(beginning)
        try await withClient(configuration) {
            try await $0.fetchBlob(
                blob.descriptor,
                from: repository,
                after: Self.prefix(of: beginning),
                into: place.place
            )
        }
    }

    private static func prefix(of bytes: [UInt8]) -> sending BlobPrefix? {
        guard !bytes.isEmpty else { return nil }
        let hasher = DigestHasher(algorithm: .sha256)
        bytes.withUnsafeBytes { hasher.update($0) }
        return BlobPrefix(hasher: hasher, byteCount: Int64(bytes.count))
    }

    @Test(arguments: RegistryKind.allCases)
    func `several requests bring the blob, each byte once`(kind: RegistryKind) async throws {
        try await withProxy(kind) { proxy in
            try await fetch(from: proxy)
            #expect(place.bytes == bytes)
            #expect(place.writtenCount == bytes.count)
            #expect(place.rewrittenCount == 0)
            #expect(place.notesWereTrue)
            #expect(place.notes.last == Int64(bytes.count))
            // The first request asks for the whole, those that help for pieces of it.
            #expect(proxy.ranges.first == .some(nil))
            #expect(proxy.ranges.count { $0?.hasPrefix("bytes=") == true } > 4)
            #expect(proxy.connectionCount > 2)
            // What came ahead was digested from where it had been written.
            #expect(place.readCount > 0)
            #expect(place.readCount < bytes.count)
        }
    }

    @Test func `no more requests are made than are allowed`() async throws {
        let most = Mutex((now: 0, peak: 0))
        try await withProxy(script: { _, _ in
            most.withLock { $0 = ($0.now + 1, max($0.peak, $0.now + 1)) }
            return .slow
        }) { proxy in
            try await fetch(from: proxy) { $0.ranges.requestLimit = 3 }
            #expect(place.bytes == bytes)
            // Of these one is cut where the second begins, and its connection with it.
            #expect((2...4).contains(proxy.connectionCount))
        }
    }

    @Test func `with one request at a time there is one request`() async throws {
        try await withProxy { proxy in
            try await fetch(from: proxy) { $0.ranges.requestLimit = 1 }
            #expect(place.bytes == bytes)
            #expect(proxy.ranges == [nil])
        }
    }

    @Test func `a connection that is fast needs no help`() async throws {
        try await withProxy { proxy in
            try await fetch(from: proxy) { configuration in
                // A byte a second is fast enough, and it is looked after a second whether they come.
                configuration.ranges.fullRate = 1
                configuration.ranges.interval = .seconds(1)
            }
            #expect(place.bytes == bytes)
            #expect(proxy.ranges == [nil])
        }
    }

    @Test func `help that comes before the first answer is help`() async throws {
        let isHelped = Mutex(false)
        try await withProxy(script: { request, _ in
            guard request.method == "GET", request.header("Range") == nil else {
                if request.header("Range") != nil { isHelped.withLock { $0 = true } }
                return .slow
            }
            for _ in 0..<1000 where !isHelped.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.01) }
            Thread.sleep(forTimeInterval: 0.05)
            return .slow
        }) { proxy in
            try await fetch(from: proxy)
            #expect(place.bytes == bytes)
            #expect(place.rewrittenCount == 0)
            #expect(isHelped.withLock { $0 })
        }
    }

    @Test func `a small blob is fetched by one request`() async throws {
        try await withProxy { proxy in
            try await fetch(from: proxy) { $0.ranges.blobByteCount = Int64(bytes.count) }
            #expect(place.bytes == bytes)
            #expect(proxy.ranges == [nil])
        }
    }

    @Test func `what an earlier run had is not fetched again`() async throws {
        let prefix = 234_567
        try await withProxy { proxy in
            try await fetch(from: proxy, after: prefix)
            #expect(place.bytes == bytes)
            #expect(place.writtenCount == bytes.count - prefix)
            #expect(place.rewrittenCount == 0)
            #expect(proxy.ranges.first == "bytes=\(prefix)-")
            #expect(proxy.connectionCount > 2)
        }
    }

    @Test func `a beginning that is damaged is fetched again`() async throws {
        try await withProxy { proxy in
            try await fetch(from: proxy, [UInt8](repeating: 1, count: 300_000))
            #expect(place.bytes == bytes)
            #expect(place.restarts == [Int64(bytes.count)])
        }
    }
}
