import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The HTTP clients, a pair for each ``Route`` and event loop: made when they are first needed, and all ended together.
///
/// A client has one proxy. It could have its trust from each request, but would compare all certificates each time. Hosts
/// are many where registries send us to ever new ones, so of the ways that nobody uses only the newest are kept.
///
/// A client has one event loop, too. With several, AsyncHTTPClient 1.37 runs a request on one and its connection on another:
/// each piece is handed over between them, and a connection that is closed before the one has told the other that it is
/// free ends the process ("A connection that we don't know was released").
final class HTTPClients: Sendable {
    /// Two clients that differ in how long they wait for an answer.
    struct Pair: Sendable {
        let ordinary: HTTPClient
        /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer.
        let upload: HTTPClient
    }

    /// A pair with its own event loop.
    private struct Lane {
        let pair: Pair
        /// How many requests are under way, by where they go.
        var requestCounts: [URLParts.Origin: Int] = [:]
    }

    /// The lanes of a way.
    private struct Entry {
        /// The event loop of the first: not all are to begin with the same one.
        let offset: Int
        var lanes: [Lane] = []
        var lastUse = 0

        var isInUse: Bool { lanes.contains { !$0.requestCounts.isEmpty } }

        /// The lane of the next request to a host: one that has none of its requests, with its connections; nil for one that
        /// is yet to be made.
        func next(to origin: URLParts.Origin, limit: Int) -> Int? {
            func count(_ index: Int) -> Int { lanes[index].requestCounts[origin] ?? 0 }
            return lanes.indices.first { count($0) == 0 }
                ?? (lanes.count < limit ? nil : lanes.indices.min { count($0) < count($1) })
        }
    }

    private struct State {
        var entries: [Route.Key: Entry] = [:]
        var useCount = 0
        /// The first failure to end a pair.
        var failure: (any Error)?
    }

    private let configuration: RegistryClient.Configuration
    private let state = Mutex(State())
    private let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
    private static let entryLimit = 64
    /// Enough to digest what a fast network brings: each reads the system's certificates for itself, which takes 7 MiB and a
    /// tenth of a second.
    private static let laneLimit = 2

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// Runs an operation with the clients for a way, those that have the fewest requests to its host.
    func withPair<Result>(for route: Route, _ operation: (Pair) async throws -> Result) async throws -> Result {
        let (lane, pair, superfluous) = take(route)
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await operation(pair))
        } catch {
            result = .failure(error)
        }
        giveBack(lane, of: route)
        // Some hosts take their time to say farewell.
        if let superfluous { await end([superfluous]) }
        return try result.get()
    }

    /// A lane of a way, and what makes room for it.
    private func take(_ route: Route) -> (lane: Int, pair: Pair, superfluous: Entry?) {
        state.withLock { state in
            var superfluous: Entry?
            if state.entries[route.key] == nil, state.entries.count >= Self.entryLimit {
                let unused = state.entries.filter { !$0.value.isInUse }
                let oldest = unused.min { $0.value.lastUse < $1.value.lastUse }
                superfluous = oldest.flatMap { state.entries.removeValue(forKey: $0.key) }
            }
            var entry = state.entries[route.key] ?? Entry(offset: .random(in: loops.indices))
            state.useCount += 1
            entry.lastUse = state.useCount
            let lane = entry.next(to: route.origin, limit: min(Self.laneLimit, loops.count)) ?? entry.lanes.count
            if lane == entry.lanes.count {
                entry.lanes.append(Lane(pair: makePair(for: route, on: loops[(entry.offset + lane) % loops.count])))
            }
            entry.lanes[lane].requestCounts[route.origin, default: 0] += 1
            state.entries[route.key] = entry
            return (lane, entry.lanes[lane].pair, superfluous)
        }
    }

    private func giveBack(_ lane: Int, of route: Route) {
        state.withLock { state in
            // After the end of all, there is nothing to count.
            guard let entry = state.entries[route.key], entry.lanes.indices.contains(lane) else { return }
            let count = entry.lanes[lane].requestCounts[route.origin] ?? 0
            state.entries[route.key]?.lanes[lane].requestCounts[route.origin] = count > 1 ? count - 1 : nil
        }
    }

    private func makePair(for route: Route, on loop: any EventLoop) -> Pair {
        Pair(
            ordinary: client(route, on: loop, answerTimeout: configuration.idleTimeout),
            upload: client(route, on: loop, answerTimeout: configuration.storeTimeout)
        )
    }

    private func end(_ entries: [Entry]) async {
        await withTaskGroup { group in
            for pair in entries.flatMap(\.lanes).map(\.pair) {
                for client in [pair.upload, pair.ordinary] {
                    group.addTask { [self] in
                        do {
                            try await client.shutdown()
                        } catch {
                            state.withLock { $0.failure = $0.failure ?? error }
                        }
                    }
                }
            }
        }
    }

    /// Closes all connections.
    ///
    /// - Throws: the first error, after all clients have been ended.
    func shutdown() async throws {
        let entries = state.withLock { state in
            defer { state.entries = [:] }
            return Array(state.entries.values)
        }
        await end(entries)
        if let failure = state.withLock(\.failure) { throw failure }
    }

    private func client(_ route: Route, on loop: any EventLoop, answerTimeout: Duration) -> HTTPClient {
        HTTPClient(eventLoopGroup: loop, configuration: settings(route, answerTimeout: answerTimeout))
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
