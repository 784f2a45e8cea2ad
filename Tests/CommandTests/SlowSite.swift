import Synchronization
import TestSupport
import Testing

/// A registry behind a proxy that lets blobs through slowly enough for a run to be killed in any of them.
final class SlowSite: Sendable {
    /// How many requests a run has under way at most.
    static let parallelism = 4

    private let proxy: FaultProxy
    private let count: RequestCount
    private let lastMark = Mutex(0)

    init(_ registry: String) throws {
        let count = RequestCount()
        proxy = try FaultProxy(to: registry) { request, _ in
            if request.target == Self.markTarget { return nil }
            // What refers to images, and which tags there are, is asked in between.
            if !request.path.contains("/referrers/"), !request.path.hasSuffix("/tags/list") { count.add() }
            guard request.path.contains("/blobs/") else { return nil }
            switch request.method {
            case "GET": return .dripping(byteCount: 16 << 10, every: .milliseconds(1))
            case "PUT", "PATCH": return .drippingRequest(byteCount: 16 << 10, every: .milliseconds(1))
            default: return nil
            }
        }
        self.count = count
    }

    var address: String { proxy.address }

    /// How many requests for images have come since the last mark.
    var requestCount: Int { count.value }

    private static let markTarget = "/v2/?mark"

    /// Divides the requests of the runs before from those of the runs after.
    ///
    /// Connections are taken in their order, so that whatever a killed run still had on its way counts as its own.
    ///
    /// - Returns: the numbers of the connections since the last mark.
    func mark() async throws -> Range<Int> {
        #expect(try await HTTPConnection(to: address).ask(HTTPRequest("GET", Self.markTarget)).status == 200)
        let mark = try #require(proxy.exchanges.last { $0.request.target == Self.markTarget }).request.connection
        count.reset()
        return lastMark.withLock { last in
            defer { last = mark }
            return last + 1..<mark
        }
    }

    /// What was asked.
    var requests: [FaultProxy.Exchange] { proxy.exchanges }

    /// What was asked on some connections.
    func requests(of connections: Range<Int>) -> [FaultProxy.Exchange] {
        requests.filter { connections.contains($0.request.connection) }
    }

    /// Ends every connection, with whatever is on its way there.
    func stop() { proxy.stop() }
}

extension FaultProxy.Exchange {
    /// What the path ends with: a tag or a digest.
    var name: String { request.path.split(separator: "/").last.map(String.init) ?? "" }

    /// Whether a manifest was asked for, and not only whether there is one.
    var isOfManifest: Bool { request.method == "GET" && request.path.contains("/manifests/") }

    /// Whether the bytes of a blob were asked for.
    var isOfBlob: Bool { request.method == "GET" && request.path.contains("/blobs/") }

    /// The first byte that was asked for.
    var start: Int {
        request.header("Range")?.dropFirst("bytes=".count).split(separator: "-").first.flatMap { Int($0) } ?? 0
    }
}
