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
struct TokenServer: Hashable, Sendable {
    private let realm: String
    private let service: String?

    /// Takes a bearer challenge and decides whether it may be followed.
    ///
    /// - Throws: ``RegistryError`` with `malformedAnswer` where the realm is no URL, with `unsafeTokenServer` where
    ///   it is plain HTTP and ``RegistryEndpoint/allowsPlainTokenServer(at:)`` does not allow that.
    init(_ challenge: Challenge, endpoint: RegistryEndpoint, context: RequestContext) throws {
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
        service = challenge.parameters["service"]
    }

    /// Asks for a token.
    ///
    /// A redirect is not followed: the credentials are for this server alone.
    ///
    /// - Parameters:
    ///   - scopes: what the token is for.
    ///   - credentials: who asks; nil for nobody in particular.
    ///   - endpoint: the registry that sends us there.
    ///   - headers: what the user sends to the registry besides; where that is on another host, they stay behind.
    ///   - transport: the connections.
    ///   - context: what it is asked for.
    /// - Returns: the token.
    /// - Throws: ``RegistryError``, and what the transport throws.
    func fetch(
        scopes: [Scope],
        credentials: Credentials?,
        for endpoint: RegistryEndpoint,
        headers: [ExtraHeader],
        transport: HTTPTransport,
        context: RequestContext
    ) async throws -> Token {
        var request = request(scopes: scopes, credentials: credentials)
        request.registry = endpoint.origin
        if URLParts.origin(of: realm) == endpoint.origin {
            for header in headers { request.headers.add(name: header.name, value: header.value) }
        }
        var response = try await transport.send(
            request,
            handling: .collect(limit: BodyHandling.errorBodyLimit),
            context: context
        )
        if [400, 401, 403].contains(response.status) {
            response.hint =
                credentials.map { "the token server refuses the credentials from \($0.source)" }
                ?? endpoint.missingCredentials
        }
        // OAuth2 has its own word for a credential that is wrong.
        if response.status == 400, RegistryAnswer.isInvalidGrant(response.body) { response.status = 401 }
        try response.expect([200], of: request, context: context)
        guard let token = RegistryAnswer.token(in: response.body) else {
            throw RegistryError(
                .malformedAnswer,
                context,
                request: request.name,
                status: response.status,
                reason: "the token server's answer \(Self.lack(of: response))"
            )
        }
        return Token(value: token.value, seconds: token.seconds)
    }

    /// Spec: distribution "Token Authentication Specification", and "OAuth2 Token Authentication" for a refresh token.
    private func request(scopes: [Scope], credentials: Credentials?) -> HTTPRequest {
        guard case .identityToken(let token) = credentials?.kind else {
            var url = realm
            if let service { url = URLParts.appending("service", service, to: url) }
            for scope in scopes { url = URLParts.appending("scope", scope.description, to: url) }
            if case .password(let username, _) = credentials?.kind {
                url = URLParts.appending("account", username, to: url)
            }
            var request = HTTPRequest(method: .GET, url: RequestURL(url))
            request.headers.add(name: "Accept", value: "application/json")
            if let basic = credentials?.basicAuthorization { request.headers.add(name: "Authorization", value: basic) }
            return request
        }
        var fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "drayage")]
        if let service { fields.append(("service", service)) }
        fields.append(("scope", scopes.map(\.description).joined(separator: " ")))
        let form = fields.map { "\($0)=\(URLParts.percentEncoded($1))" }.joined(separator: "&")
        var request = HTTPRequest(method: .POST, url: RequestURL(realm), body: .bytes(Array(form.utf8)))
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        return request
    }

    /// What an answer without a token has instead.
    private static func lack(of response: HTTPResponse) -> String {
        if response.body.isEmpty { return "is empty" }
        if response.contentType?.rawValue.lowercased() == "text/html" {
            return "is an HTML page: perhaps a proxy or a page to log in answers in its place"
        }
        return "holds no token"
    }
}
