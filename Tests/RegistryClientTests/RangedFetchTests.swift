import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Large blobs over slow connections, which are fetched by several requests at once.
@Suite struct RangedFetchTests {
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

    /// A registry that has the blob, behind a proxy that is slow or waits for help.
    private func withProxy(
        _ kind: RegistryKind = .embedded,
        isSlow: Bool = false,
        _ body: (FaultProxy) async throws -> Void
    ) async throws {
        let registry = try await kind.start()
        try registry.storage.add(blob, repository: "app")
        let proxy = try FaultProxy(to: registry.address) { [help] request, _ in
            isSlow ? .slow : help.decide(request, waitingFor: 5)
        }
        try await body(proxy)
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
            #expect(proxy.ranges.count { $0 == nil } == 1)
            #expect(proxy.ranges.count { $0?.hasPrefix("bytes=") == true } > 4)
            #expect(proxy.connectionCount > 2)
            // What came ahead was digested from where it had been written.
            #expect(place.readCount > 0)
            #expect(place.readCount < bytes.count)
        }
    }

    @Test func `no more requests are made than are allowed`() async throws {
        try await withProxy { proxy in
            try await fetch(from: proxy) { $0.ranges.requestLimit = 3 }
            #expect(place.bytes == bytes)
            // Of these one is cut where the second begins, and its connection with it.
            #expect((2...4).contains(proxy.connectionCount))
        }
    }

    @Test func `with one request at a time there is one request`() async throws {
        try await withProxy(isSlow: true) { proxy in
            try await fetch(from: proxy) { $0.ranges.requestLimit = 1 }
            #expect(place.bytes == bytes)
            #expect(proxy.ranges == [nil])
        }
    }

    @Test func `a connection that is fast needs no help`() async throws {
        try await withProxy(isSlow: true) { proxy in
            try await fetch(from: proxy) { configuration in
                // Whatever comes is fast enough, and it is looked often.
                configuration.ranges.fullRate = 0
            }
            #expect(place.bytes == bytes)
            #expect(proxy.ranges == [nil])
        }
    }

    @Test func `a small blob is fetched by one request`() async throws {
        try await withProxy(isSlow: true) { proxy in
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
            #expect(proxy.ranges.contains("bytes=\(prefix)-"))
            #expect(!proxy.ranges.contains(nil))
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
