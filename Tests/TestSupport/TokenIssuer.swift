import Foundation
import Synchronization

/// The bearer token side of a ``ScriptedRegistry``: it challenges, issues tokens at `/token`, and checks them.
///
///     let issuer = TokenIssuer()
///     let registry = try ScriptedRegistry(issuer.guarding(content.answer))
package final class TokenIssuer: Sendable {
    /// A token that was issued.
    package struct Token: Hashable, Sendable {
        /// The token.
        package let text: String
        /// What it is good for.
        package let scopes: [String]
        /// The `Authorization` of the request for it.
        package let authorization: String?
    }

    private struct State {
        var issued: [Token] = []
        var revoked: Set<String> = []
    }

    private let state = Mutex(State())
    private let service: String
    private let lifetime: Int?
    private let key: String
    private let realm: String?
    private let user: (name: String, password: String)?

    /// Sets an issuer up.
    ///
    /// - Parameters:
    ///   - service: the `service` of the challenge.
    ///   - lifetime: `expires_in` in seconds; nil leaves the field out.
    ///   - key: the field of the token: `token` or `access_token`.
    ///   - realm: the URL of the token server; nil is `/token` of the host that was asked.
    ///   - user: who gets tokens; nil is everybody.
    package init(
        service: String = "registry.test",
        lifetime: Int? = 300,
        key: String = "token",
        realm: String? = nil,
        user: (name: String, password: String)? = nil
    ) {
        self.service = service
        self.lifetime = lifetime
        self.key = key
        self.realm = realm
        self.user = user
    }

    /// The tokens so far, in their order.
    package var issued: [Token] { state.withLock { $0.issued } }

    /// Lets every token so far be refused from now on.
    package func revokeAll() { state.withLock { $0.revoked.formUnion($0.issued.map(\.text)) } }

    /// A handler that lets requests through which carry a token that is good for them.
    package func guarding(_ handler: @escaping ScriptedRegistry.Handler) -> ScriptedRegistry.Handler {
        { request in
            request.path == "/token" ? self.token(request) : self.challenge(request) ?? handler(request)
        }
    }

    /// Answers a request for a token.
    package func token(_ request: Request) -> Answer {
        let authorization = request.header("Authorization")
        if let user {
            let basic = "Basic " + Data("\(user.name):\(user.password)".utf8).base64EncodedString()
            guard authorization == basic else { return .error(401, "UNAUTHORIZED", "wrong user or password") }
        }
        let scopes = request.queryValues("scope").flatMap { $0.split(separator: " ").map(String.init) }
        let token = state.withLock { state in
            let text = TestSecrets.make("token-\(state.issued.count + 1)")
            let token = Token(text: text, scopes: scopes, authorization: authorization)
            state.issued.append(token)
            return token
        }
        let expiry = lifetime.map { ",\"expires_in\":\($0)" } ?? ""
        return .text(#"{"\#(key)":"\#(token.text)"\#(expiry)}"#)
    }

    /// The challenge to a request without a good token; nil where it may pass.
    package func challenge(_ request: Request) -> Answer? {
        let scope = Self.scope(of: request)
        let text = request.header("Authorization").flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        let token = state.withLock { state in
            state.issued.first { $0.text == text && !state.revoked.contains($0.text) }
        }
        if let token, scope.map({ Self.covers(token.scopes, $0) }) ?? true { return nil }
        var value = "Bearer realm=\"\(realm ?? "http://\(request.header("Host") ?? "")/token")\",service=\"\(service)\""
        if let scope { value += ",scope=\"\(scope)\"" }
        if token != nil { value += ",error=\"insufficient_scope\"" }
        return .error(401, "UNAUTHORIZED", "authentication required").with("WWW-Authenticate", value)
    }

    private static func scope(of request: Request) -> String? {
        if request.path == "/v2/_catalog" { return "registry:catalog:*" }
        guard let match = request.path.firstMatch(of: /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//) else { return nil }
        let actions =
            switch request.method {
            case "GET", "HEAD": "pull"
            case "DELETE": "delete"
            default: "pull,push"
            }
        return "repository:\(match.1):\(actions)"
    }

    /// Whether one of the scopes has the name wanted, and all its actions.
    private static func covers(_ scopes: [String], _ wanted: String) -> Bool {
        func parts(_ scope: String) -> (name: Substring, actions: Set<Substring>) {
            let colon = scope.lastIndex(of: ":") ?? scope.endIndex
            return (scope[..<colon], Set(scope[colon...].dropFirst().split(separator: ",")))
        }
        let wanted = parts(wanted)
        return scopes.map(parts).contains { $0.name == wanted.name && $0.actions.isSuperset(of: wanted.actions) }
    }
}
