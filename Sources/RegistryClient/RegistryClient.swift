package import Logging
import Synchronization

/// The client side of the OCI distribution specification, for any number of registries at once.
///
/// Its layers, each in a file of its own: connection (``HTTPTransport``), redirects and authentication
/// (`RegistryClient+Requests`), retries (`+Retries`), operations (`+Manifests`, `+Blobs`, `+Uploads`, `+Listings`).
package final class RegistryClient: Sendable {
    /// What the user decides of the connections.
    package struct Configuration: Sendable {
        /// The scheme of single registries, where it was said, under any of their names.
        ///
        /// It overrules the rule for loopback.
        package var schemes: [String: Scheme] = [:]
        /// The hosts whose certificates are not verified, as registries are named; without a port it is TLS's own.
        package var insecureRegistries: [String] = []
        /// A file of PEM certificates that are trusted besides the system's.
        package var caFile: String?
        /// The one that the environment names, which is trusted as well.
        package var environmentCAFile: String?
        /// Where the system's may be.
        package var systemCAFiles = TrustStore.systemFiles
        /// Folders with a directory for each host that has certificates of its own; what comes first goes first.
        package var certificateFolders: [String] = []
        /// The registries that will be asked: where a file of their certificates cannot be used, there is no client.
        package var registries: Set<String> = []
        /// Which requests go through which proxy.
        package var proxies = ProxySettings()
        /// The most requests in flight to one registry.
        package var requestLimit = 32
        /// How large blobs are fetched.
        package var ranges = RangePolicy()
        /// Header fields that go with every request to a registry, under any of its names, and nowhere else.
        package var headers: [String: [ExtraHeader]] = [:]
        /// Finds the credentials for a repository.
        package var credentials: CredentialFinder = { _, _, _ in nil }
        /// Hears of each certificate that a server shows, from many connections at once.
        package var onCertificate: (@Sendable (PeerCertificate) -> Void)?
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
    /// It is asked again with those that were refused, for others that may have come since. It may ask a program, and a
    /// person through that; it throws `CancellationError` alone.
    package typealias CredentialFinder =
        @Sendable (_ registry: String, _ path: String?, _ refused: Credentials?) async throws -> Credentials?

    let configuration: Configuration
    let transport: HTTPTransport
    private let registries: Registries
    /// Whether the registries that are asked stand in for others.
    private let asksMirrors: Bool

    /// What is known of registries: as themselves, as mirrors, and as makers of foreign layers.
    private final class Registries: Sendable {
        let byName = Mutex<[String: Registry]>([:])
        let mirrors = Mutex<[String: Registry]>([:])
        /// Hosts that are no registries.
        let makers = Mutex<[String: Registry]>([:])
    }

    /// The requests that were sent so far, to all registries and their token servers.
    package var requestCount: Int { transport.requestCount }

    private init(configuration: Configuration) throws {
        self.configuration = configuration
        (registries, asksMirrors) = (Registries(), false)
        transport = try HTTPTransport(configuration: configuration)
        for name in configuration.registries.sorted() {
            try transport.checkRoute(to: Self.endpoint(name, configuration).baseURL)
        }
    }

    private init(asMirrorsOf client: RegistryClient) {
        (configuration, transport, registries) = (client.configuration, client.transport, client.registries)
        asksMirrors = true
    }

    /// The same client for registries that stand in for others: what they do not give is asked of another, so they are
    /// tried twice at most, and hardly waited for.
    package var forMirrors: RegistryClient { RegistryClient(asMirrorsOf: self) }

    /// Runs an operation with a client and closes the connections after it, whatever happens.
    ///
    /// - Throws: ``TrustError`` for a bad file of certificates, ``ProxyError`` for a bad proxy of a registry that will be
    ///   asked, and what the operation throws.
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

    /// Where the API of a registry begins: `https://registry-1.docker.io`.
    package func baseURL(of name: String) -> String { registry(name).endpoint.baseURL }

    /// Whether the certificate of a registry is verified.
    package func isVerified(_ name: String) -> Bool { transport.isVerified(registry(name).endpoint.baseURL) }

    /// What is known of a registry; of one that stands in for others, what it was tried in vain for is its own.
    func registry(_ name: String) -> Registry {
        let ordinary = ordinary(name)
        guard asksMirrors else { return ordinary }
        return registries.mirrors.withLock { mirrors in
            if let known = mirrors[name] { return known }
            let mirror = Registry(
                asMirror: ordinary,
                authenticator: authenticator(for: ordinary.endpoint, ordinary.headers)
            )
            mirrors[name] = mirror
            return mirror
        }
    }

    /// The host of the maker of foreign layers, which is told nothing of us.
    func maker(_ name: String) -> Registry {
        registries.makers.withLock { makers in
            if let known = makers[name] { return known }
            let endpoint = RegistryEndpoint(registry: name, scheme: .https)
            let nobody = Authenticator(endpoint: endpoint, headers: [], find: { _, _, _ in nil }, transport: transport)
            let limit = configuration.requestLimit
            let maker = Registry(endpoint, authenticator: nobody, requestLimit: limit, isMaker: true)
            makers[name] = maker
            return maker
        }
    }

    private func authenticator(for endpoint: RegistryEndpoint, _ headers: [ExtraHeader]) -> Authenticator {
        Authenticator(endpoint: endpoint, headers: headers, find: configuration.credentials, transport: transport)
    }

    private func ordinary(_ name: String) -> Registry {
        registries.byName.withLock { registries in
            if let known = registries[name] { return known }
            let endpoint = Self.endpoint(name, configuration)
            let names = endpoint.origin?.names ?? []
            let headers = configuration.headers.filter { names.contains($0.key.lowercased()) }
                .sorted { $0.key < $1.key }.flatMap(\.value)
            let registry = Registry(
                endpoint,
                authenticator: authenticator(for: endpoint, headers),
                headers: headers,
                requestLimit: configuration.requestLimit
            )
            registries[name] = registry
            return registry
        }
    }

    private static func endpoint(_ name: String, _ configuration: Configuration) -> RegistryEndpoint {
        let plain = configuration.schemes.filter { $0.value == .http }.keys.map { $0.lowercased() }
        let scheme = [Scheme.https, .http].first { scheme in
            let names = RegistryEndpoint.names(of: name, scheme)
            return configuration.schemes.contains { $0.value == scheme && names.contains($0.key.lowercased()) }
        }
        return RegistryEndpoint(
            registry: name,
            scheme: scheme,
            plainRegistries: Set(plain)
        )
    }
}

/// What is known of one registry while a client lives.
final class Registry: Sendable {
    let endpoint: RegistryEndpoint
    let slots: RequestSlots
    /// For requests for bytes of large blobs, which need a slot besides: they must not take all connections.
    let largeSlots: RequestSlots
    let authenticator: Authenticator
    let bodyLimit: BodyLimit
    /// Whether another is asked where this one fails.
    let isMirror: Bool
    /// Whether it is no registry, but has foreign layers.
    let isMaker: Bool
    /// What the user sends to it besides.
    let headers: [ExtraHeader]

    /// The most requests for bytes of large blobs at once.
    private static let largeRequestLimit = 8

    init(
        _ endpoint: RegistryEndpoint,
        authenticator: Authenticator,
        headers: [ExtraHeader] = [],
        requestLimit: Int,
        isMaker: Bool = false
    ) {
        self.endpoint = endpoint
        slots = RequestSlots(limit: requestLimit)
        largeSlots = RequestSlots(limit: min(Self.largeRequestLimit, requestLimit * 3 / 4))
        self.authenticator = authenticator
        bodyLimit = BodyLimit()
        isMirror = false
        self.isMaker = isMaker
        self.headers = headers
    }

    /// The same one as a mirror, which has its own authenticator and shares the slots.
    init(asMirror registry: Registry, authenticator: Authenticator) {
        endpoint = registry.endpoint
        slots = registry.slots
        largeSlots = registry.largeSlots
        self.authenticator = authenticator
        bodyLimit = registry.bodyLimit
        isMirror = true
        isMaker = registry.isMaker
        headers = registry.headers
    }
}

/// How large a request a registry takes, where it has refused a larger one.
final class BodyLimit: Sendable {
    private let limit = Mutex<Int64?>(nil)

    /// The most bytes; nil as long as nothing was refused.
    var byteCount: Int64? { limit.withLock { $0 } }

    /// Takes note that so many bytes were taken after more had been refused.
    func lower(to byteCount: Int64) { limit.withLock { $0 = min($0 ?? byteCount, byteCount) } }
}
