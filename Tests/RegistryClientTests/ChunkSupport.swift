import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// A blob that is uploaded through a proxy into a real registry.
struct ProxiedUpload {
    let clock = TestClock()
    let sent = Sent()
    let blob: TestBlob
    let file: OpenBlob
    let registry: any LocalRegistry
    let proxy: FaultProxy

    init(
        _ byteCount: Int,
        to kind: RegistryKind,
        script: @escaping FaultProxy.Script = { _, _ in nil }
    ) async throws {
        blob = try TestBlob.random(byteCount)
        file = try OpenBlob(blob)
        registry = try await kind.start()
        proxy = try FaultProxy(to: registry.address, script: script)
    }

    /// Uploads the blob.
    ///
    /// - Parameters:
    ///   - chunkSize: the size of chunks that the user wants.
    ///   - retryLimit: how often it is tried again.
    /// - Throws: what the upload throws.
    func put(chunkSize: Int64? = nil, retryLimit: Int = 8) async throws {
        var configuration = clock.configuration()
        configuration.chunkSize = chunkSize
        configuration.retryLimit = retryLimit
        let repository = try Repository(registry: proxy.address, path: "app")
        try await withClient(configuration) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range, sent: sent.add)
        }
    }

    /// Expects that the registry has the blob and nothing else, and that what was told of it is true.
    func expectStored(sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(registry.storage.hasBlob(blob.digest, repository: "app"), sourceLocation: sourceLocation)
        let isWhole = try registry.storage.bytes(blob.digest) == blob.bytes
        #expect(isWhole, sourceLocation: sourceLocation)
        expectNothingLeft(sourceLocation: sourceLocation)
        #expect(sent.sum == blob.descriptor.size, sourceLocation: sourceLocation)
        #expect(sent.extremes.least >= 0, sourceLocation: sourceLocation)
        #expect(sent.extremes.most == blob.descriptor.size, sourceLocation: sourceLocation)
    }

    /// Expects that every upload was ended or cancelled.
    ///
    /// Debian's registry keeps the hashes of the one, and all of an upload that it has forgotten.
    func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) {
        let (opened, cancelled) = (methods.count { $0 == "POST" }, methods.count { $0 == "DELETE" })
        let isStored = registry.storage.hasBlob(blob.digest)
        #expect(cancelled >= opened - (isStored ? 1 : 0), "\(methods)", sourceLocation: sourceLocation)
        guard registry is EmbeddedRegistry else { return }
        let left = registry.storage.unfinishedUploads(repository: "app")
        #expect(left.isEmpty, "\(methods)", sourceLocation: sourceLocation)
    }

    /// The methods of the requests, in their order.
    var methods: [String] { proxy.exchanges.map(\.request.method) }

    /// The chunks that were sent, whole or not.
    var chunks: [Chunk] { proxy.exchanges.compactMap(Chunk.init) }

    /// The chunks that the registry took.
    var takenChunks: [Chunk] { proxy.exchanges.filter { $0.status == 202 }.compactMap(Chunk.init) }
}

/// A chunk as its request says it.
struct Chunk: Equatable, CustomStringConvertible {
    let start: Int
    let byteCount: Int

    var end: Int { start + byteCount }
    var description: String { "\(start)+\(byteCount)" }

    init(_ start: Int, _ byteCount: Int) { (self.start, self.byteCount) = (start, byteCount) }

    init?(_ exchange: FaultProxy.Exchange) {
        let request = exchange.request
        guard request.method == "PATCH", request.header("Content-Type") == "application/octet-stream",
            let range = request.header("Content-Range")?.wholeMatch(of: /([0-9]+)-([0-9]+)/),
            let first = Int(range.1), let last = Int(range.2),
            request.header("Content-Length") == "\(last - first + 1)"
        else { return nil }
        self.init(first, last - first + 1)
    }

    /// The chunks of a blob, each but the last of one size.
    static func all(of size: Int, from start: Int = 0, to end: Int) -> [Chunk] {
        stride(from: start, to: end, by: size).map { Chunk($0, min(size, end - $0)) }
    }
}

extension Request {
    /// How long the body is said to be.
    var contentLength: Int { header("Content-Length").flatMap { Int($0) } ?? 0 }
}
