import FoundationEssentials
package import Logging
import NIOSSL
import OCI
import Synchronization

/// The client side of the OCI distribution specification, for any number of registries at once.
///
/// Its layers, each in a file of its own: connection (``HTTPTransport``), redirects and authentication
/// (`RegistryClient+Requests`), retries (`+Retries`), operations (`+Manifests`, `+Blobs`, `+Uploads`, `+Listings`).
package final class RegistryClient: Sendable {
    /// What the user decides of the connections.
    package struct Configuration: Sendable {
        /// The scheme of single registries, where it was said.
        ///
        /// It overrules ``plainHTTP`` and the rule for loopback.
        package var schemes: [String: Scheme] = [:]
        /// Whether registries are spoken to without TLS.
        package var plainHTTP = false
        /// Whether certificates are not verified.
        package var insecure = false
        /// Registries whose certificates are not verified, whatever those of others are.
        package var insecureHosts: Set<String> = []
        /// Registries that stand in for others: what they do not give is asked of another, so they are tried twice at
        /// most, and hardly waited for.
        package var mirrors: Set<String> = []
        /// A file of PEM certificates that are trusted besides the system's.
        package var caFile: String?
        /// The most requests in flight to one registry.
        package var requestLimit = 32
        /// How large blobs are fetched.
        package var ranges = RangePolicy()
        /// Header fields that go with every request to a registry, and nowhere else.
        package var headers: [String: [ExtraHeader]] = [:]
        /// Finds the credentials for a repository.
        package var credentials: CredentialFinder = { _, _ in nil }
        /// How long a connection may take to be made.
        package var connectTimeout = Duration.seconds(30)
        /// How long nothing may move.
        package var idleTimeout = Duration.seconds(60)
        /// How long a registry may take to store a blob after its last byte.
        package var storeTimeout = Duration.seconds(600)
        /// How often something is tried again that failed without any gain; the default outlasts a minute.
        package var retryLimit = 8
        /// The most bytes of a blob that one request carries, at least 1 MiB; where it is nil, a registry that refuses what
        /// is too large decides.
        package var chunkSize: Int64?
        /// The longest single wait: a registry that asks for more is an error.
        package var maxWait = Duration.seconds(300)
        /// Hears of each failure that is followed by another attempt, from many tasks at once.
        package var onRetry: @Sendable (Retry) -> Void = { _ in }
        /// What the waits are measured by.
        package var retryClock = RetryClock()
        /// Where each request is noted, at the level `debug`.
        package var logger = Logger(label: "drayage")

        /// The defaults: TLS but on loopback, no credentials.
        package init() {}
    }

    /// Finds the credentials for a repository by its registry and path, or for a registry as a whole where the path is nil.
    ///
    /// It may ask a program, and a person through that; it throws `CancellationError` alone.
    package typealias CredentialFinder =
        @Sendable (_ registry: String, _ path: String?) async throws -> Credentials?

    let configuration: Configuration
    let transport: HTTPTransport
    private let registries = Mutex<[String: Registry]>([:])

    /// The requests that were sent so far, to all registries and their token servers.
    package var requestCount: Int { transport.requestCount }

    private init(configuration: Configuration) throws {
        self.configuration = configuration
        transport = HTTPTransport(configuration: configuration, tls: try Self.tls(configuration))
    }

    /// Runs an operation with a client and closes the connections after it, whatever happens.
    ///
    /// - Throws: ``TrustError`` for a bad file of certificates, and what the operation throws.
    package static func withClient<Result>(
        _ configuration: Configuration,
        _ operation: (RegistryClient) async throws -> Result
    ) async throws -> Result {
        let client = try RegistryClient(configuration: configuration)
        do {
            let result = try await operation(client)
            try await client.transport.shutdown()
            return result
        } catch {
            // The first error is the one to tell.
            try? await client.transport.shutdown()
            throw error
        }
    }

    /// What is known of a registry.
    func registry(_ name: String) -> Registry {
        registries.withLock { registries in
            if let known = registries[name] { return known }
            let scheme = configuration.schemes[name] ?? (configuration.plainHTTP ? .http : nil)
            let endpoint = RegistryEndpoint(registry: name, scheme: scheme)
            let registry = Registry(
                endpoint: endpoint,
                slots: RequestSlots(limit: configuration.requestLimit),
                largeSlots: RequestSlots(limit: min(Registry.largeRequestLimit, configuration.requestLimit * 3 / 4)),
                authenticator: Authenticator(
                    endpoint: endpoint,
                    find: configuration.credentials,
                    transport: transport
                ),
                bodyLimit: BodyLimit(),
                isMirror: configuration.mirrors.contains(name),
                headers: configuration.headers[name] ?? []
            )
            registries[name] = registry
            return registry
        }
    }

    private static func tls(_ configuration: Configuration) throws -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if configuration.insecure { tls.certificateVerification = .none }
        if let path = configuration.caFile {
            do {
                let certificates = try NIOSSLCertificate.fromPEMFile(path)
                guard !certificates.isEmpty else { throw TrustError(path: path, reason: "it holds no certificate") }
                tls.additionalTrustRoots = [.certificates(certificates)]
            } catch let error as TrustError {
                throw error
            } catch {
                let exists = FileManager.default.fileExists(atPath: path)
                let reason = exists ? "it is no PEM file of certificates" : "there is no such file"
                throw TrustError(path: path, reason: reason)
            }
        }
        return tls
    }
}

/// What is known of one registry while a client lives.
struct Registry: Sendable {
    let endpoint: RegistryEndpoint
    let slots: RequestSlots
    /// For requests for bytes of large blobs, which need a slot besides: they must not take all connections.
    let largeSlots: RequestSlots
    let authenticator: Authenticator
    let bodyLimit: BodyLimit
    /// Whether another is asked where this one fails.
    let isMirror: Bool
    /// What the user sends to it besides.
    let headers: [ExtraHeader]

    /// The most requests for bytes of large blobs at once.
    static let largeRequestLimit = 8
}

/// How large a request a registry takes, where it has refused a larger one.
final class BodyLimit: Sendable {
    private let limit = Mutex<Int64?>(nil)

    /// The most bytes; nil as long as nothing was refused.
    var byteCount: Int64? { limit.withLock { $0 } }

    /// Takes note that so many bytes were taken after more had been refused.
    func lower(to byteCount: Int64) { limit.withLock { $0 = min($0 ?? byteCount, byteCount) } }
}

/// A file of certificates that cannot be used.
package struct TrustError: Error, Sendable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What is wrong with it.
    package let reason: String

    /// One line: operation, subject, cause.
    package var description: String { "reading the certificates in \(path.printable): \(reason)" }
}
