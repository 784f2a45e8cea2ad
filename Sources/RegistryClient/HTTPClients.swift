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
    private final class Entry: Sendable {
        let clients: Clients
        let userCount = Atomic(0)
        /// Read and written under the lock alone.
        let lastUse = Atomic(0)

        init(_ clients: Clients) { self.clients = clients }
    }

    private struct State {
        var entries: [Route.Key: Entry] = [:]
        var useCount = 0
        /// The first failure to end a client.
        var failure: (any Error)?

        /// Takes out, where there are too many, the clients of a way that nobody goes, and longest nobody has gone.
        mutating func makeRoom() -> Clients? {
            guard entries.count >= HTTPClients.entryLimit else { return nil }
            let idle = entries.filter { $0.value.userCount.load(ordering: .acquiring) == 0 }
            let oldest = idle.min {
                $0.value.lastUse.load(ordering: .relaxed) < $1.value.lastUse.load(ordering: .relaxed)
            }
            return oldest.flatMap { entries.removeValue(forKey: $0.key)?.clients }
        }
    }

    private let configuration: RegistryClient.Configuration
    private let state = Mutex(State())
    private static let entryLimit = 64

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// Runs an operation with the clients for a way.
    func withClients<Result>(for route: Route, _ operation: (Clients) async throws -> Result) async throws -> Result {
        let (entry, superfluous) = take(route)
        defer { entry.userCount.subtract(1, ordering: .releasing) }
        guard let superfluous else { return try await operation(entry.clients) }
        // Some hosts take their time to say farewell.
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await operation(entry.clients))
        } catch {
            result = .failure(error)
        }
        await end(superfluous)
        return try result.get()
    }

    /// The clients of a way, and those that make room for them.
    private func take(_ route: Route) -> (entry: Entry, superfluous: Clients?) {
        state.withLock { state in
            state.useCount += 1
            var superfluous: Clients?
            let entry: Entry
            if let known = state.entries[route.key] {
                entry = known
            } else {
                superfluous = state.makeRoom()
                entry = Entry(makeClients(for: route))
                state.entries[route.key] = entry
            }
            // Under the lock, so that nobody ends them before they are used.
            entry.userCount.add(1, ordering: .relaxed)
            entry.lastUse.store(state.useCount, ordering: .relaxed)
            return (entry, superfluous)
        }
    }

    private func makeClients(for route: Route) -> Clients {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.next()
        let (idle, store) = (configuration.idleTimeout, configuration.storeTimeout)
        return Clients(
            ordinary: client(route, on: group, answerTimeout: idle, writeTimeout: nil),
            small: client(route, on: loop, answerTimeout: idle, writeTimeout: idle),
            upload: client(route, on: loop, answerTimeout: store, writeTimeout: idle)
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

    private func client(
        _ route: Route,
        on group: any EventLoopGroup,
        answerTimeout: Duration,
        writeTimeout: Duration?
    ) -> HTTPClient {
        HTTPClient(eventLoopGroup: group, configuration: settings(route, answerTimeout, writeTimeout))
    }

    private func settings(
        _ route: Route,
        _ answerTimeout: Duration,
        _ writeTimeout: Duration?
    ) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration(
            tlsConfiguration: route.tls,
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(configuration.connectTimeout)),
            decompression: .disabled
        )
        // What has no body leaves in one write, for which there is room: there is one thing to wait for.
        if let writeTimeout {
            (settings.timeout.read, settings.timeout.write) = (TimeAmount(answerTimeout), TimeAmount(writeTimeout))
        }
        let ownTimeout = writeTimeout == nil ? TimeAmount(answerTimeout) : nil
        if case .tunnel(let proxy) = route.key.passage { settings.proxy = proxy.tunnel }
        // Nobody listens, and telling nobody of each request takes a twentieth of the time of small ones.
        settings.tracing.tracer = nil
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
            return Self.prepare(channel, for: key, answerTimeout: ownTimeout)
        }
        return settings
    }

    private static func prepare(
        _ channel: any Channel,
        for key: Route.Key,
        answerTimeout: TimeAmount?
    ) -> EventLoopFuture<Void> {
        do {
            if let answerTimeout { try AnswerTimeoutHandler.add(to: channel, timeout: answerTimeout) }
            if case .forward = key.passage { try AbsoluteFormHandler.add(to: channel) }
            if let host = key.verifiedHost { try PeerName.verify(host, on: channel) }
        } catch {
            // Closed first: the client takes a connection that failed to begin for one that is gone.
            channel.close(promise: nil)
            return channel.closeFuture.flatMapThrowing { throw error }
        }
        // The default of 64 KiB costs a third more processor time on a large blob; small answers stay small.
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 32_768, maximum: 262_144)
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
