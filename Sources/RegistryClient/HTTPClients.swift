import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The HTTP clients, one pair for each ``Route``: made when it is first gone, and all ended together.
///
/// A client has one proxy. It could have its trust from each request, but would compare all certificates each time. Hosts
/// are many where registries send us to ever new ones, so of the pairs that nobody uses only the newest are kept.
final class HTTPClients: Sendable {
    /// Two clients that differ in how long they wait for an answer.
    struct Pair: Sendable {
        let ordinary: HTTPClient
        /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer.
        let upload: HTTPClient
    }

    /// A pair, and who uses it.
    private struct Entry {
        let pair: Pair
        var userCount = 0
        var lastUse = 0
    }

    private struct State {
        var entries: [Route.Key: Entry] = [:]
        var useCount = 0
        /// The first failure to end a pair.
        var failure: (any Error)?
    }

    private let configuration: RegistryClient.Configuration
    private let state = Mutex(State())
    private static let pairLimit = 64

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// Runs an operation with the clients for a way.
    func withPair<Result>(for route: Route, _ operation: (Pair) async throws -> Result) async throws -> Result {
        let (pair, superfluous) = take(route)
        defer { state.withLock { $0.entries[route.key]?.userCount -= 1 } }
        guard let superfluous else { return try await operation(pair) }
        // Some hosts take their time to say farewell.
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await operation(pair))
        } catch {
            result = .failure(error)
        }
        await end(superfluous)
        return try result.get()
    }

    /// The pair of a way, and one that makes room for it.
    private func take(_ route: Route) -> (pair: Pair, superfluous: Pair?) {
        state.withLock { state in
            var superfluous: Pair?
            if state.entries[route.key] == nil, state.entries.count >= Self.pairLimit,
                let oldest = state.entries.filter({ $0.value.userCount == 0 }).min(by: {
                    $0.value.lastUse < $1.value.lastUse
                })
            {
                superfluous = state.entries.removeValue(forKey: oldest.key)?.pair
            }
            var entry = state.entries[route.key] ?? Entry(pair: makePair(for: route))
            state.useCount += 1
            entry.userCount += 1
            entry.lastUse = state.useCount
            state.entries[route.key] = entry
            return (entry.pair, superfluous)
        }
    }

    private func makePair(for route: Route) -> Pair {
        Pair(
            ordinary: client(route, answerTimeout: configuration.idleTimeout),
            upload: client(route, answerTimeout: configuration.storeTimeout)
        )
    }

    private func end(_ pair: Pair) async {
        for client in [pair.upload, pair.ordinary] {
            do {
                try await client.shutdown()
            } catch {
                state.withLock { $0.failure = $0.failure ?? error }
            }
        }
    }

    /// Closes all connections.
    ///
    /// - Throws: the first error, after all clients have been ended.
    func shutdown() async throws {
        let pairs = state.withLock { state in
            defer { state.entries = [:] }
            return state.entries.values.map(\.pair)
        }
        for pair in pairs { await end(pair) }
        if let failure = state.withLock(\.failure) { throw failure }
    }

    private func client(_ route: Route, answerTimeout: Duration) -> HTTPClient {
        HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            configuration: settings(route, answerTimeout: answerTimeout)
        )
    }

    private func settings(_ route: Route, answerTimeout: Duration) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration(
            tlsConfiguration: route.tls,
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(configuration.connectTimeout),
                read: TimeAmount(answerTimeout),
                write: TimeAmount(configuration.idleTimeout)
            ),
            decompression: .disabled
        )
        if case .tunnel(let proxy) = route.key.passage { settings.proxy = proxy.tunnel }
        // Large blobs gain nothing from HTTP/2's windows and lose to them.
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.requestLimit
        // Without this a refused connection or an untrusted certificate is tried until the time-out.
        settings.connectionPool.retryConnectionEstablishment = false
        // Shorter than what servers keep, so that a connection is rarely found closed.
        settings.connectionPool.idleTimeout = .seconds(15)
        settings.http1_1ConnectionDebugInitializer = { [key = route.key, hear = configuration.onCertificate] channel in
            if let hear, let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate(),
                let shown = PeerCertificate(certificate)
            {
                hear(shown)
            }
            return Self.prepare(channel, for: key)
        }
        return settings
    }

    private static func prepare(_ channel: any Channel, for key: Route.Key) -> EventLoopFuture<Void> {
        do {
            if case .forward = key.passage { try AbsoluteFormHandler.add(to: channel) }
            if let host = key.verifiedHost { try PeerName.verify(host, on: channel) }
        } catch {
            // Closed first: the client takes a connection that failed to begin for one that is gone.
            channel.close(promise: nil)
            return channel.closeFuture.flatMapThrowing { throw error }
        }
        // The default of 64 KiB costs a third more processor time on a large blob; small answers stay small.
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 262_144)
        return channel.setOption(.recvAllocator, value: allocator).flatMap {
            // Each connection keeps a buffer for each of these: by default four, 1 MiB a connection that is never idle.
            channel.setOption(.maxMessagesPerRead, value: 1)
        }
    }
}

extension ProxyAddress {
    /// What the HTTP client calls this proxy.
    fileprivate var tunnel: HTTPClient.Configuration.Proxy {
        switch kind {
        case .http: .server(host: host, port: port, authorization: credentials.map { .basic(credentials: $0) })
        case .socks5: .socksServer(host: host, port: port)
        }
    }
}
