import FoundationEssentials
public import Logging
package import RegistryClient

/// How registries are reached, and who we are there.
public struct ConnectionOptions: Sendable {
    /// Registries that are spoken to without TLS, each as references name it: `registry.site:5000`.
    public var plainHTTPRegistries: [String] = []
    /// Hosts whose certificates are not verified, each as references name it.
    public var insecureRegistries: [String] = []
    /// A file of PEM certificates that are trusted besides the system's.
    public var caFile: String?
    /// Registries that are spoken to with TLS although they are on loopback or among ``plainHTTPRegistries``.
    public var tlsRegistries: [String] = []
    /// Folders with a directory for each host, in which its certificates are: `*.crt` is trusted there, `X.cert` with
    /// `X.key` is shown there.
    ///
    /// Nil is where docker and podman have them.
    public var certificateFolders: [String]?
    /// The most requests in flight to one registry.
    public var parallelism = 32
    /// The most requests that fetch one large blob at once, each a range of it; 1 fetches it in one piece.
    ///
    /// There are more than one where one is slow and the registry sends ranges.
    public var rangeLimit = 8
    /// When a blob is fetched in ranges, and in which.
    package var rangePolicy = RangePolicy()
    /// How often something is tried again that failed without any gain; the default outlasts a minute.
    public var retryLimit = 8
    /// The most bytes of a blob that one request to a registry carries, at least 1 MiB.
    ///
    /// Where it is nil, a blob goes in one piece, and in smaller ones where the registry refuses that or it breaks.
    public var chunkSize: Int64?
    /// The longest single wait: a registry that asks for more is an error.
    public var maxWait = Duration.seconds(300)
    /// How long nothing may move, and a registry may take to store a blob; nil is what the client has for each.
    package var idleTimeout: Duration?
    /// Where each request is noted, at the level `debug`.
    ///
    /// No secret is.
    public var logger = Logger(label: "drayage")
    /// The environment: where docker's `config.json` and the user's certificates are looked for, which proxies there are
    /// (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), and which certificates are trusted as well (`SSL_CERT_FILE`).
    public var environment: [String: String] = ProcessInfo.processInfo.environment

    private var schemes: [String: Scheme] = [:]
    private var credentials: [String: Credentials] = [:]

    /// The defaults: TLS but on loopback, the credentials of docker's `config.json`.
    public init() {}

    /// Sets the credentials for a registry.
    ///
    /// They go before those of docker's `config.json`.
    public mutating func setCredentials(username: String, password: String, for registry: String) {
        credentials[registry] = Credentials(username: username, password: password)
    }

    /// Takes over what the text of a target says of its scheme.
    mutating func setScheme(of target: RegistryTarget) {
        if let scheme = target.scheme { schemes[target.registry] = scheme }
    }

    /// The client's configuration.
    ///
    /// - Parameters:
    ///   - registries: the registries that will be asked, as far as they are known; where a file of their certificates
    ///     cannot be used, no client is made.
    ///   - progress: hears of what is tried again.
    /// - Returns: the configuration.
    /// - Throws: `CredentialsError` for a `config.json` that cannot be read, `ProxyError` for a proxy that cannot be used.
    func clientConfiguration(
        for registries: some Sequence<String>,
        progress: @escaping ProgressHandler = { _ in }
    ) throws -> RegistryClient.Configuration {
        let dockerConfig = try DockerConfig.load(environment: environment)
        let explicit = credentials
        var configuration = RegistryClient.Configuration()
        configuration.insecureRegistries = insecureRegistries
        configuration.caFile = caFile
        configuration.environmentCAFile = environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        configuration.certificateFolders = certificateFolders ?? Self.certificateFolders(in: environment)
        configuration.registries = Set(registries)
        configuration.proxies = try ProxySettings(environment: environment)
        for registry in plainHTTPRegistries { configuration.schemes[registry] = .http }
        configuration.schemes.merge(schemes) { $1 }
        for registry in tlsRegistries { configuration.schemes[registry] = .https }
        configuration.requestLimit = max(1, parallelism)
        configuration.ranges = rangePolicy
        configuration.ranges.requestLimit = max(1, rangeLimit)
        configuration.retryLimit = max(0, retryLimit)
        configuration.chunkSize = chunkSize
        configuration.maxWait = maxWait
        if let idleTimeout { (configuration.idleTimeout, configuration.storeTimeout) = (idleTimeout, idleTimeout) }
        configuration.onRetry = { progress(.retrying(message: "\($0.error)", wait: $0.wait)) }
        configuration.logger = logger
        configuration.credentials = { explicit[$0] ?? dockerConfig.credentials(for: $0) }
        return configuration
    }

    /// Where podman and docker have the certificates of hosts, the user's own first.
    private static func certificateFolders(in environment: [String: String]) -> [String] {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let own = value("XDG_CONFIG_HOME") ?? value("HOME").map { $0 + "/.config" }
        return (own.map { [$0 + "/containers/certs.d"] } ?? []) + ["/etc/containers/certs.d", "/etc/docker/certs.d"]
    }
}
