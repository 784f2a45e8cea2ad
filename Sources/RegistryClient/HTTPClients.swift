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
/// A client has one event loop, too. With several it runs a request on one and its connection on another, hands each piece
/// over between them, and ends the process where a connection is closed before the one has told the other that it is free.
final class HTTPClients: Sendable {
    /// Two clients that differ in how long they wait for an answer.
    struct Pair: Sendable {
        let ordinary: HTTPClient
        /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer.
        let upload: HTTPClient
    }

    /// The pairs of a way, and who uses them.
    private struct Entry {
        /// Where its first pair is: not all ways are to begin with the same event loop.
        let offset: Int
        var pairs: [(pair: Pair, userCount: Int)] = []
        var lastUse = 0

        var isInUse: Bool { pairs.contains { $0.userCount > 0 } }

        /// The pair to use next, one that nobody uses where that may be; nil for one that is yet to be made.
        func next(limit: Int) -> Int? {
            pairs.firstIndex { $0.userCount == 0 }
                ?? (pairs.count < limit ? nil : pairs.indices.min { pairs[$0].userCount < pairs[$1].userCount })
        }
    }

    private struct State {
        var entries: [Route.Key: Entry] = [:]
        var entryCount = 0
        var useCount = 0
        /// The first failure to end a pair.
        var failure: (any Error)?
    }

    private let configuration: RegistryClient.Configuration
    private let state = Mutex(State())
    /// As many as digest what a fast network brings; each has certificates of its own to read.
    private let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator().prefix(4))
    private static let entryLimit = 64

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// Runs an operation with the clients for a way, on the event loop that has least to do for it.
    func withPair<Result>(for route: Route, _ operation: (Pair) async throws -> Result) async throws -> Result {
        let (index, pair, superfluous) = take(route)
        defer { state.withLock { $0.entries[route.key]?.pairs[index].userCount -= 1 } }
        guard let superfluous else { return try await operation(pair) }
        // Some hosts take their time to say farewell.
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await operation(pair))
        } catch {
            result = .failure(error)
        }
        await end([superfluous])
        return try result.get()
    }

    /// A pair of a way with its place, and what makes room for it.
    private func take(_ route: Route) -> (index: Int, pair: Pair, superfluous: Entry?) {
        state.withLock { state in
            var superfluous: Entry?
            if state.entries[route.key] == nil, state.entries.count >= Self.entryLimit {
                let unused = state.entries.filter { !$0.value.isInUse }
                let oldest = unused.min { $0.value.lastUse < $1.value.lastUse }
                superfluous = oldest.flatMap { state.entries.removeValue(forKey: $0.key) }
            }
            var entry = state.entries[route.key] ?? makeEntry(&state)
            state.useCount += 1
            entry.lastUse = state.useCount
            let index = entry.next(limit: loops.count) ?? entry.pairs.count
            if index == entry.pairs.count {
                entry.pairs.append((makePair(for: route, on: loops[(entry.offset + index) % loops.count]), 0))
            }
            entry.pairs[index].userCount += 1
            state.entries[route.key] = entry
            return (index, entry.pairs[index].pair, superfluous)
        }
    }

    private func makeEntry(_ state: inout State) -> Entry {
        defer { state.entryCount += 1 }
        return Entry(offset: state.entryCount)
    }

    private func makePair(for route: Route, on loop: any EventLoop) -> Pair {
        Pair(
            ordinary: client(route, on: loop, answerTimeout: configuration.idleTimeout),
            upload: client(route, on: loop, answerTimeout: configuration.storeTimeout)
        )
    }

    private func end(_ entries: [Entry]) async {
        await withTaskGroup { group in
            for pair in entries.flatMap(\.pairs) {
                for client in [pair.pair.upload, pair.pair.ordinary] {
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
