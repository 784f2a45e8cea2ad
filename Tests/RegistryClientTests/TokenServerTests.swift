import OCI
import RegistryClient
import TestSupport
import Testing

/// Token servers that do wrong, and those that credentials must not go to.
@Suite struct TokenServerTests {
    /// A registry that challenges everything, and its token server.
    private static func registry(
        realm: String? = nil,
        _ token: @escaping @Sendable (Request) -> Answer
    ) throws -> ScriptedRegistry {
        try ScriptedRegistry { request in
            if request.path == "/token" { return token(request) }
            let realm = realm ?? "http://\(request.header("Host") ?? "")/token"
            return Answer(401, headers: [("WWW-Authenticate", "Bearer realm=\"\(realm)\",service=\"s\"")])
        }
    }

    private func refusal(
        _ registry: ScriptedRegistry,
        _ configuration: RegistryClient.Configuration = signedIn(as: "me", "hunter2")
    ) async throws -> RegistryError {
        let repository = try registry.repository()
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.subject == repository.description)
        #expect(error.description.contains(registry.address))
        #expect(!error.description.contains("hunter2") && !error.description.contains("bWU6"))
        return error
    }

    @Test func `a wrong password at the token server is told`() async throws {
        let issuer = TokenIssuer(user: ("me", "secret"))
        let registry = try Self.registry(issuer.token)
        let error = try await refusal(registry)
        #expect(error.code == .unauthorized)
        #expect(error.status == 401)
        #expect(error.request == "GET http://\(registry.address)/token")
        #expect(error.registryMessages == ["UNAUTHORIZED: wrong user or password"])
        #expect(issuer.issued.isEmpty)
    }

    @Test(arguments: [
        ("<html>", "text/html"), ("<html>", "Text/HTML; charset=utf-8"), ("", "application/json"), ("", "text/html"),
        ("[]", "application/json"), ("{}", "application/json"),
        (#"{"token":null}"#, "application/json"), (#"{"token":""}"#, "application/json"),
        (#"{"token":5}"#, "application/json"),
        // A token that would begin a header of its own.
        (#"{"token":"a\r\nX-Evil: b"}"#, "application/json"), (#"{"token":"a b"}"#, "application/json"),
        (#"{"token":"é"}"#, "application/json"),
    ])
    func `an answer without a token is told`(body: String, type: String) async throws {
        let registry = try Self.registry { _ in .text(body, type: type) }
        let error = try await refusal(registry)
        #expect(error.code == .malformedAnswer)
        #expect(error.request == "GET http://\(registry.address)/token")
        let lack =
            body.isEmpty
            ? "is empty"
            : body.hasPrefix("<")
                ? "is an HTML page: perhaps a proxy or a page to log in answers in its place" : "holds no token"
        #expect(error.reason == "the token server's answer \(lack)")
        #expect(registry.requests.count == 2)
    }

    @Test func `an empty field does not hide the other`() async throws {
        let registry = try ScriptedRegistry { request in
            if request.path == "/token" { return .text(#"{"access_token":"","token":"t"}"#) }
            guard request.header("Authorization") == "Bearer t" else {
                let value = "Bearer realm=\"http://\(request.header("Host") ?? "")/token\""
                return Answer(401, headers: [("WWW-Authenticate", value)])
            }
            return .text(#"{"tags":["1"]}"#)
        }
        let repository = try registry.repository()
        let tags = try await withClient { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }

    @Test func `an answer without end is not read to its end`() async throws {
        let registry = try Self.registry { _ in
            Answer(body: [UInt8](repeating: UInt8(ascii: " "), count: 1 << 20), transfer: .stalled(after: 256 << 10))
        }
        #expect(try await refusal(registry).code == .malformedAnswer)
    }

    @Test(arguments: [(403, RegistryError.Code.denied), (404, .notFound), (500, .unexpectedStatus)])
    func `a token server that refuses is told`(status: Int, code: RegistryError.Code) async throws {
        let registry = try Self.registry { _ in .error(status, "X", "not now") }
        let error = try await refusal(registry)
        #expect(error.code == code)
        #expect(error.status == status)
        #expect(error.request == "GET http://\(registry.address)/token")
        #expect(error.registryMessages == ["X: not now"])
    }

    @Test(arguments: ["/elsewhere", "http://OTHER/token"])
    func `a redirect of the token server is not followed`(location: String) async throws {
        let other = try ScriptedRegistry { _ in .text(#"{"token":"t"}"#) }
        let target = location.replacing("OTHER", with: other.address)
        let registry = try Self.registry { _ in .redirect(to: target) }
        let error = try await refusal(registry)
        #expect(error.code == .unexpectedStatus)
        #expect(error.status == 307)
        #expect(
            registry.lines == ["GET /v2/app/tags/list", "GET /token?service=s&scope=repository:app:pull&account=me"]
        )
        #expect(other.requests.isEmpty)
    }

    @Test func `credentials do not go over http to a token server on another host`() async throws {
        let other = try ScriptedRegistry { _ in .text(#"{"token":"t"}"#) }
        // Not a name of loopback, though it is reached there.
        let name = other.address.replacing("127.0.0.1", with: "0.0.0.0")
        let registry = try Self.registry(realm: "http://\(name)/token") { _ in Answer(404) }
        let error = try await refusal(registry)
        #expect(error.code == .unsafeTokenServer)
        #expect(error.reason?.contains("--plain-http \(name) allows it") == true)
        #expect(error.concernsWholeRegistry)
        #expect(other.requests.isEmpty && other.connectionCount == 0)
    }

    /// Not even without credentials: who listens between us and that server could hand out a token of his own.
    @Test(arguments: [true, false])
    func `a registry on https has no token server on http`(isSignedIn: Bool) async throws {
        let other = try ScriptedRegistry { _ in .text(#"{"token":"t"}"#) }
        let challenge = "Bearer realm=\"http://\(other.address)/token\""
        let registry = try StaticTLSServer([
            "v2/app/tags/list": Answer(401, headers: [("WWW-Authenticate", challenge)])
        ])
        let configuration = registry.configuration(
            isSignedIn ? signedIn() : RegistryClient.Configuration.withoutRetries
        )
        let repository = try Repository(registry: registry.address, path: "app")
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.code == .unsafeTokenServer)
        #expect(error.subject == repository.description)
        #expect(other.requests.isEmpty)
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0"])
    func `a token server on http is asked where that is plain by the rule for a registry`(host: String) async throws {
        let issuer = TokenIssuer()
        let other = try ScriptedRegistry(issuer.token)
        let name = other.address.replacing("127.0.0.1", with: host)
        let registry = try ScriptedRegistry { request in
            issuer.issued.first.map { request.header("Authorization") == "Bearer \($0.text)" } ?? false
                ? .text(#"{"tags":["1"]}"#)
                : Answer(401, headers: [("WWW-Authenticate", "Bearer realm=\"http://\(name)/token\"")])
        }
        let repository = try registry.repository()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [name: .http]
        let tags = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
        #expect(other.requests.map { $0.header("Authorization") } == [nil])
    }

    @Test(arguments: ["", "nowhere", "ftp://a/token", "file:///etc/passwd"])
    func `a realm that is no URL is told`(realm: String) async throws {
        let registry = try Self.registry(realm: realm) { _ in Answer(404) }
        let error = try await refusal(registry)
        #expect(error.code == .malformedAnswer)
        #expect(error.reason == "its challenge names no token server")
    }
}
