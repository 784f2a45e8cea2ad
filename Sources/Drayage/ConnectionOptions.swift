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
    /// The one file of credentials that is read, in the form of docker's `config.json` or podman's `auth.json`; nil is
    /// `$REGISTRY_AUTH_FILE`, and where that is not set all places where docker and podman keep them.
    public var authFile: String?
    /// Whether files of credentials are read at all.
    package var readsCredentialFiles = true
    /// The environment: where files and programs of credentials, the user's certificates and containers' `registries.conf`
    /// are looked for, which proxies there are (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), and which certificates are
    /// trusted as well (`SSL_CERT_FILE`).
    public var environment: [String: String] = ProcessInfo.processInfo.environment
    /// Mirrors that are asked before those of `registries.conf`, in their order, by what reads images to bundle or
    /// repair them.
    public var mirrors: [RegistryMirror] = []
    /// The machine's own folder of files that the tools of the containers project read.
    package var containersFolder = "/etc/containers"

    private var schemes: [String: Scheme] = [:]
    private var credentials: [String: Credentials] = [:]
    private var headers: [String: [ExtraHeader]] = [:]

    /// The defaults: TLS but on loopback, the credentials of docker and podman.
    public init() {}

    /// Sets the credentials for a registry, or for the repositories there below a path: `quay.io/team`.
    ///
    /// They go before those of files and helpers.
    public mutating func setCredentials(username: String, password: String, for registry: String) {
        credentials[registry] = Credentials(username: username, password: password)
    }

    /// Sets a bearer token for a registry, or for the repositories there below a path.
    ///
    /// - Parameters:
    ///   - token: the token, one word.
    ///   - registry: the registry.
    ///   - source: where it comes from, for messages.
    /// - Throws: `CredentialsError` where it is no token.
    public mutating func setToken(_ token: String, for registry: String, from source: String) throws {
        credentials[registry] = try Credentials(token: token, source: source)
    }

    /// Sets the credentials for a registry, or for the repositories there below a path, from the text of a file: one line
    /// `BEARER_TOKEN=…`, or `USERNAME=…` and `PASSWORD=…`.
    ///
    /// - Parameters:
    ///   - text: the file.
    ///   - registry: the registry.
    ///   - source: the file's name, for messages.
    /// - Throws: `CredentialsError` where it is no such file.
    public mutating func setCredentials(lines text: [UInt8], for registry: String, from source: String) throws {
        credentials[registry] = try Credentials.parse(lines: text, path: source)
    }

    /// Adds a header field that goes with every request to a registry, and to no other host.
    ///
    /// - Throws: ``DrayageError`` with `usage` for what can be none; its message does not hold the value.
    public mutating func addHeader(name: String, value: String, for registry: String) throws {
        do {
            headers[registry, default: []].append(try ExtraHeader(name: name, value: value))
        } catch {
            throw DrayageError(.usage, "a header for \(registry)", underlying: error)
        }
    }

    /// Takes over what the text of a target says of its scheme.
    mutating func setScheme(of target: RegistryTarget) {
        if let scheme = target.scheme { schemes[target.registry] = scheme }
    }

    /// Finds out where references are asked for.
    ///
    /// - Throws: ``RegistriesConf/Failure`` for a file that cannot be used.
    func routes(of references: [Reference]) async throws -> Routes {
        try await blocking {
            let content = try registriesConf()
            let rules = MirrorRules(named: mirrors, rules: content.rules)
            return Routes(references, rules: rules, credentialHelpers: .init(content.credentialHelpers ?? []))
        }
    }

    private func registriesConf() throws(RegistriesConf.Failure) -> RegistriesConf.Content {
        try RegistriesConfFiles(environment: environment, systemFolder: containersFolder).content()
    }

    /// The client's configuration for what is asked for along routes.
    ///
    /// - Parameters:
    ///   - routes: where is asked; their registries' certificates must be usable.
    ///   - progress: hears of what is tried again.
    /// - Returns: the configuration.
    /// - Throws: what ``clientConfiguration(for:progress:)`` does.
    func clientConfiguration(routes: Routes, progress: @escaping ProgressHandler) throws -> RegistryClient.Configuration
    {
        let store = try credentialStore(helpers: routes.credentialHelpers)
        var configuration = clientConfiguration(for: [], store, progress: progress)
        routes.apply(to: &configuration)
        return configuration
    }

    /// The client's configuration.
    ///
    /// - Parameters:
    ///   - registries: the registries that will be asked, as far as they are known; where a file of their certificates
    ///     cannot be used, no client is made.
    ///   - progress: hears of what is tried again.
    /// - Returns: the configuration.
    /// - Throws: `CredentialsError` for a file of credentials that cannot be read.
    func clientConfiguration(
        for registries: some Sequence<String>,
        progress: @escaping ProgressHandler = { _ in }
    ) throws -> RegistryClient.Configuration {
        clientConfiguration(for: registries, try credentialStore(), progress: progress)
    }

    /// All that says who we are.
    ///
    /// - Throws: what ``clientConfiguration(for:progress:)`` does.
    func credentialStore() throws -> CredentialStore {
        guard readsCredentialFiles else { return try credentialStore(helpers: .init()) }
        return try credentialStore(helpers: credentialHelpers)
    }

    /// The helpers that containers' files name for all registries.
    ///
    /// Where these are of use for nothing else, what is wrong with them is no obstacle.
    var credentialHelpers: CredentialHelpers {
        do throws(RegistriesConf.Failure) {
            return .init(try registriesConf().credentialHelpers ?? [])
        } catch {
            logger.warning("\(error); the credential helpers that it may name are not asked")
            return .init()
        }
    }

    private func credentialFiles() throws(CredentialsError) -> [CredentialFile] {
        try CredentialFiles.load(named: authFile, environment: environment) { logger.warning("\($0)") }
    }

    private func credentialStore(helpers: CredentialHelpers) throws -> CredentialStore {
        CredentialStore(
            given: credentials,
            files: readsCredentialFiles ? try credentialFiles() : [],
            helpers: helpers,
            environment: environment,
            logger: logger
        )
    }

    private func clientConfiguration(
        for registries: some Sequence<String>,
        _ store: CredentialStore,
        progress: @escaping ProgressHandler
    ) -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration()
        configuration.insecureRegistries = insecureRegistries
        configuration.caFile = caFile
        configuration.environmentCAFile = environment.value(of: "SSL_CERT_FILE")
        configuration.certificateFolders = certificateFolders ?? Self.certificateFolders(in: environment)
        configuration.registries = Set(registries)
        configuration.proxies = ProxySettings(environment: environment)
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
        configuration.headers = headers
        configuration.logger = logger
        configuration.credentials = { try await store.credentials(for: $0, path: $1, refused: $2) }
        return configuration
    }

    /// Where podman and docker have the certificates of hosts, the user's own first.
    private static func certificateFolders(in environment: [String: String]) -> [String] {
        let own = environment.settingsFolder.map { [$0 + "/containers/certs.d"] } ?? []
        return own + ["/etc/containers/certs.d", "/etc/docker/certs.d"]
    }
}
