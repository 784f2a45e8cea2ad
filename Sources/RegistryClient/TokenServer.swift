import NIOHTTP1
import OCI

/// A bearer token and how long it may be used.
struct Token: Sendable {
    let authorization: String
    private let expiry: ContinuousClock.Instant

    /// Takes a token that was issued for so many seconds from then on.
    init(value: String, seconds: Int?, issued: ContinuousClock.Instant = .now) {
        authorization = "Bearer " + value
        // Spec: distribution "Token Authentication": 60 seconds unless more are granted.
        expiry = issued + .seconds(min(max(60, seconds ?? 60), 86_400))
    }

    /// Whether it will still be good when a request that leaves then arrives.
    func isUsable(at now: ContinuousClock.Instant) -> Bool { now < expiry - .seconds(10) }
}

/// The token server that a registry names in its challenge.
///
/// Spec: distribution "Token Authentication Specification".
struct TokenServer: Sendable {
    private let realm: String
    private let service: String?
    private let credentials: Credentials?

    /// Takes a bearer challenge and decides whether our credentials may go where it points.
    ///
    /// - Throws: ``RegistryError`` with `malformedAnswer` where the realm is no URL, with `unsafeTokenServer` where
    ///   it is plain HTTP and ``RegistryEndpoint/allowsPlainTokenServer(at:)`` does not allow that.
    init(
        _ challenge: Challenge,
        endpoint: RegistryEndpoint,
        credentials: Credentials?,
        context: RequestContext
    ) throws {
        guard let realm = challenge.parameters["realm"], let origin = URLParts.origin(of: realm) else {
            throw RegistryError(.malformedAnswer, context, reason: "its challenge names no token server")
        }
        if origin.scheme == "http", !endpoint.allowsPlainTokenServer(at: origin) {
            let name = origin.registryName
            throw RegistryError(
                .unsafeTokenServer,
                context,
                reason: "the registry names a token server that does not use https; --plain-http \(name) allows it"
            )
        }
        self.realm = realm
        self.credentials = credentials
        service = challenge.parameters["service"]
    }

    /// Asks for a token.
    ///
    /// A redirect is not followed: the credentials are for this server alone.
    func fetch(scopes: [String], transport: HTTPTransport, context: RequestContext) async throws -> Token {
        var url = realm
        if let service { url = URLParts.appending("service", service, to: url) }
        for scope in scopes { url = URLParts.appending("scope", scope, to: url) }
        var request = HTTPRequest(method: .GET, url: url)
        request.headers.add(name: "Accept", value: "application/json")
        if let credentials { request.headers.add(name: "Authorization", value: credentials.basicAuthorization) }
        let response = try await transport.send(
            request,
            handling: .collect(limit: BodyHandling.errorBodyLimit),
            context: context
        )
        try response.expect([200], of: request, context: context)
        guard let token = RegistryAnswer.token(in: response.body) else {
            throw RegistryError(
                .malformedAnswer,
                context,
                request: request.name,
                status: response.status,
                reason: "the token server's answer holds no token"
            )
        }
        return Token(value: token.value, seconds: token.seconds)
    }
}
