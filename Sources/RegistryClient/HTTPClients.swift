import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The HTTP clients, one pair for each ``Route``: made when it is first gone, and all ended together.
///
/// A client has one proxy. It could have its trust from each request, but would compare all certificates each time.
final class HTTPClients: Sendable {
    /// Two clients that differ in how long they wait for an answer.
    struct Pair: Sendable {
        let ordinary: HTTPClient
        /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer.
        let upload: HTTPClient
    }

    private let configuration: RegistryClient.Configuration
    private let pairs = Mutex<[Route.Key: Pair]>([:])

    init(_ configuration: RegistryClient.Configuration) { self.configuration = configuration }

    /// The clients for a way.
    func pair(for route: Route) -> Pair {
        pairs.withLock { pairs in
            if let pair = pairs[route.key] { return pair }
            let pair = Pair(
                ordinary: client(route, answerTimeout: configuration.idleTimeout),
                upload: client(route, answerTimeout: configuration.storeTimeout)
            )
            pairs[route.key] = pair
            return pair
        }
    }

    /// Closes all connections.
    ///
    /// - Throws: the first error, after all clients have been ended.
    func shutdown() async throws {
        var failure: (any Error)?
        for client in pairs.withLock({ $0.values.flatMap { [$0.upload, $0.ordinary] } }) {
            do {
                try await client.shutdown()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
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
        return channel.setOption(.recvAllocator, value: allocator)
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
