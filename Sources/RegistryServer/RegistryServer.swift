public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import OCI
import RegistryDirectory

/// A registry that speaks the OCI distribution specification 1.1.
///
/// It stands directly on NIO's HTTP/1 pipeline: a file then goes to the socket by `sendfile`, for a tenth of the
/// processor time that reading and writing it takes.
///
/// Its layers, each in a folder or file of its own: connections and requests (`HTTP`), who may do what (`Access`), the
/// API (`Routes`), and what is served (``RegistryStore``: a directory or bundles).
public final class RegistryServer: Sendable {
    /// How a server is set up.
    public struct Configuration: Sendable {
        /// A certificate and its key.
        public struct TLS: Sendable {
            /// A PEM file: the server's certificate, then those that lead to its authority.
            public var certificatePath: String
            /// A PEM file with the private key.
            public var keyPath: String

            /// Names the files.
            public init(certificatePath: String, keyPath: String) {
                self.certificatePath = certificatePath
                self.keyPath = keyPath
            }
        }

        /// The address to listen at.
        public var host = "127.0.0.1"
        /// The port; 0 is one that the system picks.
        public var port = 5000
        /// The certificate; nil for plain HTTP.
        public var tls: TLS?
        /// A file of users and bcrypt hashes as `htpasswd -B` makes it; nil for none.
        public var passwordFile: String?
        /// Whether reading needs no password although there is a password file.
        public var allowsAnonymousReading = false
        /// Whether writing needs no password where there is no password file and the address is not loopback.
        public var allowsAnonymousWriting = false
        /// How long nothing may move on a connection while it is the client's turn.
        public var idleTimeout = Duration.seconds(60)
        /// How long requests that are in flight may go on once the server is to close.
        public var closingTimeout = Duration.seconds(300)
        /// The most connections that are served at once; those beyond are answered with 429.
        public var connectionLimit = 1024
        /// How long an upload session may rest before it counts as abandoned and is removed.
        public var uploadLifetime = Duration.seconds(24 * 3600)
        /// Where every request is noted, at the level `info`.
        public var logger = Logger(label: "drayage.server", factory: { _ in SwiftLogNoOpLogHandler() })

        /// The defaults: plain HTTP on loopback, open to whoever is there.
        public init() {}
    }

    /// `address:port` as it is really listened at, an IPv6 address in brackets.
    public let address: String
    /// The port that is really listened at.
    public let port: Int
    /// Whether only this host can reach it.
    public let isLoopback: Bool

    private let listener: Listener

    private init(_ listener: Listener, at address: SocketAddress) {
        self.listener = listener
        self.address = AccessLog.text(address)
        port = address.port ?? 0
        isLoopback = address.isLoopback
    }

    /// Runs an operation while a server listens, and closes the server after it.
    ///
    /// When the operation returns, the server takes no more requests, answers those that are in flight and then closes,
    /// after ``Configuration/closingTimeout`` at the latest. When it throws or is cancelled, every connection is closed at
    /// once. Either way the address is free, and no thread, file or connection is left, when this returns.
    ///
    /// - Parameters:
    ///   - content: what is served.
    ///   - configuration: how.
    ///   - operation: what to do meanwhile; the server listens before it is called.
    /// - Returns: what the operation returns.
    /// - Throws: ``ServerError`` where it cannot be started, and what the operation throws.
    public static func withServer<Result: Sendable>(
        of content: ServedContent,
        _ configuration: Configuration = Configuration(),
        _ operation: @escaping @Sendable (RegistryServer) async throws -> Result
    ) async throws -> Result {
        let resources = ServerResources()
        do {
            let result = try await withServer(of: content, configuration, on: resources, operation)
            try await resources.shutdown()
            return result
        } catch {
            // The first error is the one to tell.
            try? await resources.shutdown()
            throw error
        }
    }

    private static func withServer<Result: Sendable>(
        of content: ServedContent,
        _ configuration: Configuration,
        on resources: ServerResources,
        _ operation: @escaping @Sendable (RegistryServer) async throws -> Result
    ) async throws -> Result {
        let (listener, address) = try await Listener.bind(content, configuration, resources)
        let server = RegistryServer(listener, at: address)
        return try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Result?.self) { group in
                async let _: Void = listener.removeAbandonedUploads()
                group.addTask { try await operation(server) }
                group.addTask {
                    try await listener.run()
                    return nil
                }
                do {
                    // The listener ends before the operation only where it failed.
                    guard case let result?? = try await group.next() else { throw ServerError(.stopped) }
                    listener.beginClosing()
                    try await waitForConnections(of: listener, configuration, &group)
                    return result
                } catch {
                    listener.closeAll()
                    group.cancelAll()
                    throw error
                }
            }
        } onCancel: {
            listener.closeAll()
        }
    }

    /// Waits until the last request has been answered, but not for ever.
    private static func waitForConnections<Result: Sendable>(
        of listener: Listener,
        _ configuration: Configuration,
        _ group: inout ThrowingTaskGroup<Result?, any Error>
    ) async throws {
        async let _: Void = {
            // Cancelled when the connections have ended by themselves.
            guard (try? await Task.sleep(for: configuration.closingTimeout)) != nil else { return }
            configuration.logger.error(
                "closing",
                metadata: ["cause": "requests in flight took too long and were cut off"]
            )
            listener.closeAll()
        }()
        try await group.waitForAll()
    }
}

/// The threads of a server.
final class ServerResources: Sendable {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
    let readers = NIOThreadPool(numberOfThreads: 16)
    /// Apart from the readers: who waits for the disk to take something is not to hold up those who only read.
    let writers = NIOThreadPool(numberOfThreads: 16)

    init() {
        readers.start()
        writers.start()
    }

    func shutdown() async throws {
        try await readers.shutdownGracefully()
        try await writers.shutdownGracefully()
        try await loops.shutdownGracefully()
    }
}
