import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import OCI
import RegistryDirectory

/// The listening socket and the connections that it accepts.
final class Listener: Sendable {
    /// How much of an upload one connection may hold in memory: parts of at most 256 KiB, of which four are waiting.
    private static let receivedByteCount = 256 << 10
    private static let waitingParts = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
        lowWatermark: 2,
        highWatermark: 4
    )

    private typealias Accepted = (id: Int, channel: Connection.AsyncChannel)?

    private let socket: NIOAsyncChannel<Accepted, Never>
    private let connections: Connections
    private let api: RegistryAPI
    private let resources: ServerResources
    private let configuration: RegistryServer.Configuration

    private init(
        socket: NIOAsyncChannel<Accepted, Never>,
        connections: Connections,
        api: RegistryAPI,
        resources: ServerResources,
        configuration: RegistryServer.Configuration
    ) {
        self.socket = socket
        self.connections = connections
        self.api = api
        self.resources = resources
        self.configuration = configuration
    }

    /// Begins to listen.
    static func bind(
        _ content: ServedContent,
        _ configuration: RegistryServer.Configuration,
        _ resources: ServerResources
    ) async throws -> (Listener, SocketAddress) {
        let tls = try configuration.tls.map { try ServerTLS.context($0) }
        let logger = configuration.logger
        let users = try configuration.passwordFile.map { path in
            try Htpasswd(path: path) { failure in
                logger.error("keeping the users as they were", metadata: ["cause": "\(failure)"])
            }
        }
        let connections = Connections(limit: configuration.connectionLimit)
        let idleTimeout = TimeAmount(configuration.idleTimeout)
        let socket: NIOAsyncChannel<Accepted, Never>
        do {
            socket = try await ServerBootstrap(group: resources.loops)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                // A client that sends nothing more may still wait for its answer.
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16384, maximum: receivedByteCount)
                )
                .bind(host: configuration.host, port: configuration.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try accept(channel, into: connections, tls: tls, idleTimeout: idleTimeout)
                    }
                }
        } catch {
            let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
            throw ServerError(.listening(address: "\(host):\(configuration.port)"), underlying: error)
        }
        guard let address = socket.channel.localAddress else {
            throw ServerError(.listening(address: configuration.host))
        }
        let api = RegistryAPI(
            content: content,
            access: AccessControl(
                users: users,
                allowsAnonymousReading: configuration.allowsAnonymousReading,
                allowsAnonymousWriting: configuration.allowsAnonymousWriting || address.isLoopback
            ),
            referrers: ReferrersIndex(),
            readers: resources.readers,
            writers: resources.writers,
            logger: logger
        )
        let listener = Listener(
            socket: socket,
            connections: connections,
            api: api,
            resources: resources,
            configuration: configuration
        )
        return (listener, address)
    }

    private static func accept(
        _ channel: any Channel,
        into connections: Connections,
        tls: NIOSSLContext?,
        idleTimeout: TimeAmount
    ) throws -> Accepted {
        guard let id = connections.add(channel) else {
            channel.close(promise: nil)
            return nil
        }
        channel.closeFuture.whenComplete { _ in connections.remove(id) }
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        // NIO's own handling of errors would answer before the requests that came earlier are answered.
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
        try pipeline.addHandler(IdleHandler(timeout: idleTimeout))
        try pipeline.addHandler(ResponsePartHandler())
        let asyncChannel = try Connection.AsyncChannel(
            wrappingChannelSynchronously: channel,
            configuration: .init(backPressureStrategy: waitingParts)
        )
        // NIO ends the process for one that is dropped while it is open, as nobody may come to serve it any more.
        channel.closeFuture.whenComplete { _ in withExtendedLifetime(asyncChannel) {} }
        return (id, asyncChannel)
    }

    /// Accepts and serves connections until the server is closed and the last request answered.
    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await socket.executeThenClose { accepted in
                for try await case (let id, let channel)? in accepted {
                    let connection = Connection(
                        id: id,
                        api: api,
                        connections: connections,
                        pool: resources.readers,
                        usesTLS: configuration.tls != nil
                    )
                    group.addTask { await connection.serve(channel) }
                }
            }
        }
    }

    /// Removes upload sessions that nobody came back to, now and from time to time, until it is cancelled.
    func removeAbandonedUploads() async {
        guard let directory = api.content.writableDirectory else { return }
        let interval = min(.seconds(600), max(.seconds(1), configuration.uploadLifetime))
        while !Task.isCancelled {
            do {
                let count = try await resources.writers.runIfActive { [lifetime = configuration.uploadLifetime] in
                    try directory.removeUploads(olderThan: lifetime)
                }
                if count > 0 { api.logger.notice("removed abandoned uploads", metadata: ["count": "\(count)"]) }
                try await Task.sleep(for: interval)
            } catch is CancellationError {
                return
            } catch {
                api.logger.error("removing abandoned uploads", metadata: ["cause": "\(error)"])
                // Cancelled or not, the loop is what ends.
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Takes no more connections and requests; what is in flight goes on.
    func beginClosing() {
        socket.channel.close(promise: nil)
        connections.beginClosing()
    }

    /// Closes everything at once.
    func closeAll() {
        socket.channel.close(promise: nil)
        connections.closeAll()
    }
}

extension SocketAddress {
    /// Whether only this host can reach it.
    var isLoopback: Bool {
        guard let address = ipAddress else { return true }
        return address == "::1" || address.hasPrefix("127.")
    }
}

extension TimeAmount {
    /// The amount of a duration, to the nanosecond.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .seconds(seconds) + .nanoseconds(attoseconds / 1_000_000_000)
    }
}
