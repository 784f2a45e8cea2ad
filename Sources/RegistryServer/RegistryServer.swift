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

    private let listener: Listener

    private init(_ listener: Listener, at address: SocketAddress) {
        self.listener = listener
        self.address = AccessLog.text(address)
        port = address.port ?? 0
    }

    /// Runs an operation while a server listens, and closes the server after it.
    ///
    /// When the operation returns, the server takes no more requests, answers those that are in flight and then closes.
    /// When it throws or is cancelled, every connection is closed at once. Either way the address is free, and no thread,
    /// file or connection is left, when this returns.
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
        _ operation: @Sendable (RegistryServer) async throws -> Result
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
        _ operation: @Sendable (RegistryServer) async throws -> Result
    ) async throws -> Result {
        let (listener, address) = try await Listener.bind(content, configuration, resources)
        let server = RegistryServer(listener, at: address)
        return try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                async let _: Void = listener.removeAbandonedUploads(every: .seconds(600))
                group.addTask { try await listener.run() }
                let result: Result
                do {
                    result = try await operation(server)
                } catch {
                    listener.closeAll()
                    group.cancelAll()
                    throw error
                }
                listener.beginClosing()
                try await group.waitForAll()
                return result
            }
        } onCancel: {
            listener.closeAll()
        }
    }
}

/// The threads of a server.
final class ServerResources: Sendable {
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
    /// Enough for requests that wait for the disk not to hold up those that need not.
    let pool = NIOThreadPool(numberOfThreads: 32)

    init() { pool.start() }

    func shutdown() async throws {
        try await pool.shutdownGracefully()
        try await loops.shutdownGracefully()
    }
}
