import Foundation
import Synchronization

/// A token server whose tokens a real docker-registry trusts: web tokens that `openssl` signs.
///
/// Everybody may pull below `open/`; the user, and who has the refresh token, may do everything.
///
/// Spec: distribution "Docker Registry v2 Bearer token specification".
package final class JWTIssuer: Sendable {
    /// What a registry is told of its token server.
    package struct Trust: Sendable {
        let realm: String
        let service: String
        let issuer: String
        let certificatePath: String
    }

    /// A request for a token.
    package struct Request: Hashable, Sendable {
        /// The method: `GET`, or `POST` where a refresh token was sent.
        package let method: String
        /// What it was asked for.
        package let scopes: [String]
        /// Whether it came from nobody in particular.
        package let isAnonymous: Bool
    }

    /// The user who may do everything.
    package let user: (name: String, password: String)
    /// The identity token of that user.
    package let refreshToken: String

    private let scratch: ScratchDirectory
    private let certificate: String
    private let service = "registry.test"
    private let issuer = "drayage-test-issuer"
    private let received = Mutex<[Request]>([])

    /// Makes a key, and a certificate for it.
    ///
    /// - Throws: what `openssl` says.
    package init() throws {
        (user, refreshToken) = (TestSecrets.user("me"), TestSecrets.make("refresh"))
        scratch = try ScratchDirectory()
        try Command(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "token.key", "-out", "token.pem", "-days",
                "2",
                "-subj", "/CN=Drayage test tokens",
            ],
            directory: scratch.path
        ).check()
        let der = try Command(
            "openssl",
            ["x509", "-in", "token.pem", "-outform", "DER"],
            directory: scratch.path
        ).check().output
        certificate = Data(der).base64EncodedString()
    }

    /// What a registry is told, where this one answers at an address.
    package func trust(at address: String) -> Trust {
        Trust(
            realm: "http://\(address)/token",
            service: service,
            issuer: issuer,
            certificatePath: scratch.path("token.pem")
        )
    }

    /// The requests for tokens, in their order.
    package var requests: [Request] { received.withLock { $0 } }

    /// Answers a request for a token.
    package func answer(_ request: TestSupport.Request) -> Answer {
        let fields = request.method == "POST" ? Self.form(request.body) : nil
        let scopes = (fields?["scope"].map { [$0] } ?? request.queryValues("scope")).flatMap {
            $0.split(separator: " ").map(String.init)
        }
        let basic = "Basic " + Data("\(user.name):\(user.password)".utf8).base64EncodedString()
        let authorization = request.header("Authorization")
        let isUser = fields.map { $0["refresh_token"] == refreshToken } ?? (authorization == basic)
        let isAnonymous = fields == nil && authorization == nil
        guard isUser || isAnonymous else { return .error(401, "UNAUTHORIZED", "wrong user or password") }
        received.withLock { $0.append(Request(method: request.method, scopes: scopes, isAnonymous: isAnonymous)) }
        do {
            return .text(#"{"access_token":"\#(try token(for: scopes, isUser: isUser))","expires_in":300}"#)
        } catch {
            return .error(500, "UNKNOWN", "\(error)")
        }
    }

    private func token(for scopes: [String], isUser: Bool) throws -> String {
        let access = scopes.compactMap { scope -> [String: Any]? in
            let parts = scope.split(separator: ":").map(String.init)
            guard parts.count == 3 else { return nil }
            let asked = parts[2].split(separator: ",").map(String.init)
            let granted = isUser ? asked : parts[1].hasPrefix("open/") ? asked.filter { $0 == "pull" } : []
            return ["type": parts[0], "name": parts[1], "actions": granted]
        }
        let now = Int(Date.now.timeIntervalSince1970)
        let claims: [String: Any] = [
            "iss": issuer, "sub": isUser ? user.name : "", "aud": service, "exp": now + 300, "nbf": now - 60,
            "iat": now,
            "jti": UUID().uuidString, "access": access,
        ]
        let header: [String: Any] = ["typ": "JWT", "alg": "RS256", "x5c": [certificate]]
        let signed = try [header, claims].map { Self.encoded(try JSONSerialization.data(withJSONObject: $0)) }
            .joined(separator: ".")
        let signature = try Command(
            "openssl",
            ["dgst", "-sha256", "-sign", scratch.path("token.key")],
            input: Array(signed.utf8)
        ).check().output
        return signed + "." + Self.encoded(Data(signature))
    }

    /// Spec: RFC 7515 "Terminology", Base64url.
    private static func encoded(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func form(_ body: [UInt8]) -> [String: String] {
        let items = URLComponents(string: "http://h/?\(String(decoding: body, as: UTF8.self))")?.queryItems ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }
    }
}
