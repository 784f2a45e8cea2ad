import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The HTTP clients, three for each ``Route``: made when it is first gone, and all ended together.
///
/// A client has one proxy. It could have its trust from each request, but would compare all certificates each time. Hosts
/// are many where registries send us to ever new ones, so of those that nobody uses only the newest are kept.
///
/// What has a body goes through clients with one event loop. With several, AsyncHTTPClient 1.37 may run the request on one
/// and its connection on another, and ends the process where that has its answer, and is closed, before the one has told
/// the other that the body is sent ("A connection that we don't know was released").
final class HTTPClients: Sendable {
    /// The clients of a way.
    ///
    /// Each opens connections, and reads the certificates that it trusts, when it is first used.
    struct Clients: Sendable {
        /// For what has no body.
        let ordinary: HTTPClient
        /// For what has a small body, such as a manifest.
        let small: HTTPClient
        /// For blobs: a registry may take minutes to store a large one after its last byte, so this waits longer.
        let upload: HTTPClient

        /// The one for a request.
        func client(for body: HTTPRequest.Body) -> HTTPClient {
            switch body {
            case .none: ordinary
            case .bytes: small
            case .file, .relay: upload
            }
        }
    }

    /// The clients of a way, and who uses them.
    private struct Entry {
        let clients: Clients
        var userCount = 0
        var lastUse = 0
    }

    private struct State {
        var entries: [Route.Key: Entry] = [:]
        var useCount = 0
        /// The first failure to end a client.
        var failure: (any Error)?
    }

    private let configuration: RegistryClient.Configuration
    private let state = Mutex(State())
    private static let entryLimit = 64

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// Runs an operation with the clients for a way.
    func withClients<Result>(for route: Route, _ operation: (Clients) async throws -> Result) async throws -> Result {
        let (clients, superfluous) = take(route)
        defer { state.withLock { $0.entries[route.key]?.userCount -= 1 } }
        guard let superfluous else { return try await operation(clients) }
        // Some hosts take their time to say farewell.
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await operation(clients))
        } catch {
            result = .failure(error)
        }
        await end(superfluous)
        return try result.get()
    }

    /// The clients of a way, and those that make room for them.
    private func take(_ route: Route) -> (clients: Clients, superfluous: Clients?) {
        state.withLock { state in
            var superfluous: Clients?
            if state.entries[route.key] == nil, state.entries.count >= Self.entryLimit,
                let oldest = state.entries.filter({ $0.value.userCount == 0 }).min(by: {
                    $0.value.lastUse < $1.value.lastUse
                })
            {
                superfluous = state.entries.removeValue(forKey: oldest.key)?.clients
            }
            var entry = state.entries[route.key] ?? Entry(clients: makeClients(for: route))
            state.useCount += 1
            entry.userCount += 1
            entry.lastUse = state.useCount
            state.entries[route.key] = entry
            return (entry.clients, superfluous)
        }
    }

    private func makeClients(for route: Route) -> Clients {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        return Clients(
            ordinary: client(route, on: group, answerTimeout: configuration.idleTimeout),
            small: client(route, on: loop, answerTimeout: configuration.idleTimeout),
            upload: client(route, on: loop, answerTimeout: configuration.storeTimeout)
        )
    }

    private func end(_ clients: Clients) async {
        for client in [clients.upload, clients.small, clients.ordinary] {
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
        let all = state.withLock { state in
            defer { state.entries = [:] }
            return state.entries.values.map(\.clients)
        }
        for clients in all { await end(clients) }
        if let failure = state.withLock(\.failure) { throw failure }
    }

    private func client(_ route: Route, on group: any EventLoopGroup, answerTimeout: Duration) -> HTTPClient {
        HTTPClient(eventLoopGroup: group, configuration: settings(route, answerTimeout: answerTimeout))
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
