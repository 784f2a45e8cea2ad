import FoundationEssentials
import NIOHTTP1
import OCI

/// A bearer token and how long it may be used.
struct Token: Sendable {
    let authorization: String
    private let expiry: ContinuousClock.Instant

    /// Whether it will still be good when the request arrives.
    var isUsable: Bool { ContinuousClock.now < expiry - .seconds(10) }

    init(value: String, seconds: Int?) {
        authorization = "Bearer " + value
        // Spec: distribution "Token Authentication": 60 seconds unless more are granted.
        expiry = .now + .seconds(min(max(60, seconds ?? 60), 86_400))
    }
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
    /// - Throws: ``RegistryError`` with `malformedAnswer` where the realm is no URL, with `unsafeTokenServer` where the
    ///   credentials would leave over plain HTTP for another host.
    init(
        _ challenge: Challenge,
        endpoint: RegistryEndpoint,
        credentials: Credentials?,
        context: RequestContext
    ) throws {
        guard let realm = challenge.parameters["realm"], let origin = URLParts.origin(of: realm) else {
            throw RegistryError(.malformedAnswer, context, reason: "its challenge names no token server")
        }
        let own = URLParts.origin(of: endpoint.baseURL)
        if origin.scheme == "http", origin != own, credentials != nil || own?.scheme == "https" {
            throw RegistryError(
                .unsafeTokenServer,
                context,
                reason: "the registry names a token server on another host that does not use https, \(origin.host)"
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
        do {
            let answer = try JSONDecoder().decode(Answer.self, from: Data(response.body))
            // What goes into a header must not be able to begin another.
            guard let value = [answer.accessToken, answer.token].compactMap(\.self).first(where: { !$0.isEmpty }),
                value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
            else { throw DecodingError.valueNotFound(String.self, .init(codingPath: [], debugDescription: "token")) }
            return Token(value: value, seconds: answer.expiresIn)
        } catch {
            throw RegistryError(
                .malformedAnswer,
                context,
                request: request.name,
                status: response.status,
                reason: "the token server's answer holds no token"
            )
        }
    }

    private struct Answer: Decodable {
        let token: String?
        let accessToken: String?
        let expiresIn: Int?

        private enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }
}
