import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryClient

/// Credentials that are tokens, and credentials for a part of a registry.
@Suite struct TokenCredentialTests {
    /// A client configuration with credentials by what the finder says.
    private static func configuration(
        _ find: @escaping @Sendable (_ path: String?) -> Credentials?
    ) -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.credentials = { _, path, _ in find(path) }
        return configuration
    }

    /// A registry that lets those through who have one of some authorizations, and sends others to its token server.
    private static func registry(
        accepts: Set<String>,
        challenges: [String] = [],
        _ token: @escaping @Sendable (Request) -> Answer = { _ in .error(404, "X", "no token server") }
    ) throws -> ScriptedRegistry {
        try ScriptedRegistry { request in
            if request.path == "/token" { return token(request) }
            if accepts.contains(request.header("Authorization") ?? "") { return .text(#"{"tags":["1"]}"#) }
            let own = "Bearer realm=\"http://\(request.header("Host") ?? "")/token\",service=\"s\""
            let all = challenges.isEmpty ? [own] : challenges.map { $0.replacing("OWN", with: own) }
            return Answer(401, headers: all.map { ("WWW-Authenticate", $0) })
        }
    }

    @Test func `an identity token is posted to the token server, and to nobody else`() async throws {
        let registry = try Self.registry(accepts: ["Bearer access"]) { _ in
            .text(#"{"access_token":"access","expires_in":300}"#)
        }
        let repository = try registry.repository("team/app")
        let configuration = Self.configuration { _ in Credentials(.identityToken("refresh+me/&="), source: "x") }
        let tags = try await withClient(configuration) { client in
            _ = try await client.tags(of: repository)
            return try await client.tags(of: repository)
        }
        #expect(tags == ["1"])
        let posts = registry.requests.filter { $0.path == "/token" }
        #expect(posts.map(\.method) == ["POST"])
        let post = try #require(posts.first)
        #expect(post.target == "/token")
        #expect(post.header("Content-Type") == "application/x-www-form-urlencoded")
        #expect(post.header("Authorization") == nil)
        #expect(
            String(decoding: post.body, as: UTF8.self)
                == "grant_type=refresh_token&refresh_token=refresh%2Bme/%26%3D&client_id=drayage&service=s"
                + "&scope=repository:team/app:pull"
        )
    }

    @Test(arguments: [(401, #"{"errors":[{"code":"UNAUTHORIZED"}]}"#), (400, #"{"error":"invalid_grant"}"#)])
    func `an identity token that is not good any more is not authorised`(status: Int, body: String) async throws {
        let registry = try Self.registry(accepts: []) { _ in
            var answer = Answer.text(body)
            answer.status = status
            return answer
        }
        let repository = try registry.repository()
        let configuration = Self.configuration { _ in Credentials(.identityToken("refresh"), source: "/auth.json") }
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.description.contains("the token server refuses the credentials from /auth.json"))
        #expect(!error.description.contains("refresh"))
    }

    @Test(arguments: [[], ["Basic realm=x"], ["OWN", "Basic realm=x"]] as [[String]])
    func `a registry's own token goes to it as it is, whatever it asks for`(challenges: [String]) async throws {
        let registry = try Self.registry(accepts: ["Bearer mine"], challenges: challenges)
        let repository = try registry.repository()
        let token = try Credentials(token: "mine", source: "stdin")
        let tags = try await withClient(Self.configuration { _ in token }) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
        #expect(registry.count("GET", containing: "/token") == 0)
    }

    @Test func `a registry's own token that is refused is told, with where it came from`() async throws {
        let registry = try Self.registry(accepts: [])
        let repository = try registry.repository()
        let secret = TestSecrets.make("mine")
        let token = try Credentials(token: secret, source: "stdin")
        let error = try await clientFailure(Self.configuration { _ in token }) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.description.contains("it refuses the credentials from stdin"))
        #expect(registry.requests.count == 2)
    }

    @Test func `an identity token is no password`() async throws {
        let registry = try Self.registry(accepts: [], challenges: ["Basic realm=x"])
        let repository = try registry.repository()
        let configuration = Self.configuration { _ in Credentials(.identityToken("refresh"), source: "/auth.json") }
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(
            error.description.contains("it asks for a user name and a password, and /auth.json has an identity token")
        )
        #expect(registry.requests.count == 1)
    }

    /// Challenges of which one can be answered, with a password, and how it is.
    @Test(
        arguments: [
            (["Bearer realm=nowhere", "OWN"], "Bearer t"), (["OWN", "Basic realm=x"], "Bearer t"),
            (["Negotiate, OWN, Basic realm=x"], "Bearer t"), (["Basic realm=x, OWN"], "Bearer t"),
            (["Bearer realm=nowhere, Basic realm=x"], "Basic bWU6cGFzcw=="),
            (["bAsIc Realm=x"], "Basic bWU6cGFzcw=="),
        ] as [([String], String)]
    )
    func `of several challenges one that can be answered is answered`(
        challenges: [String],
        authorization: String
    ) async throws {
        let registry = try Self.registry(accepts: [authorization], challenges: challenges) { request in
            request.header("Authorization") == "Basic bWU6cGFzcw==" ? .text(#"{"token":"t"}"#) : Answer(401)
        }
        let repository = try registry.repository()
        let configuration = Self.configuration { _ in Credentials(username: "me", password: "pass") }
        let tags = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }

    @Test func `a token server that answers with a page does not keep a password from a registry that takes it`()
        async throws
    {
        let registry = try Self.registry(accepts: ["Basic bWU6cGFzcw=="], challenges: ["OWN", "Basic realm=x"]) { _ in
            .text("<html>", type: "text/html")
        }
        let repository = try registry.repository()
        let configuration = Self.configuration { _ in Credentials(username: "me", password: "pass") }
        #expect(try await withClient(configuration) { try await $0.tags(of: repository) } == ["1"])
    }

    @Test func `each repository has the credentials of the longest key`() async throws {
        let issuer = TokenIssuer()
        let content = RegistryContent()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let file = #"""
            {"auths":{"HOST":{"username":"host","password":"p"},"HOST/team":{"username":"team","password":"p"}}}
            """#.replacing("HOST", with: registry.address)
        let store = CredentialStore(
            files: [try CredentialFile.parse(Array(file.utf8), path: "x")],
            logger: Log().logger
        )
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.credentials = { try await store.credentials(for: $0, path: $1, refused: $2) }
        try await withClient(configuration) { client in
            for path in ["team/app", "other/app", "team/app"] {
                _ = try await failure { try await client.tags(of: try registry.repository(path)) }
            }
            _ = try await client.repositories(of: registry.address)
        }
        func basic(_ user: String) -> String { "Basic " + Data("\(user):p".utf8).base64EncodedString() }
        #expect(issuer.issued.map(\.authorization) == [basic("team"), basic("host"), basic("host")])
        #expect(
            issuer.issued.map(\.scopes) == [
                ["repository:team/app:pull"], ["repository:other/app:pull"], ["registry:catalog:*"],
            ]
        )
    }

    /// The scopes of several requests, and those for which one token would be asked.
    @Test(arguments: [
        (["repository:a:push", "repository:a:pull"], ["repository:a:pull,push"]),
        (["repository:a:push", "repository:b:pull"], ["repository:a:push", "repository:b:pull"]),
        (["repository:a:pull", "repository:a:pull"], ["repository:a:pull"]),
        (["repository:a:pull,push", "repository:a:delete,x"], ["repository:a:pull,push,delete,x"]),
        (["repository(plugin):a:pull", "repository:a:push"], ["repository(plugin):a:pull", "repository:a:push"]),
        (["repository:host:5000/a:pull"], ["repository:host:5000/a:pull"]),
        (["registry:catalog:*"], ["registry:catalog:*"]),
    ])
    func `scopes of one name are merged`(scopes: [String], merged: [String]) {
        let parsed = scopes.compactMap { Scope(parsing: $0[...]) }
        #expect(parsed.count == scopes.count)
        #expect(Scope.merged(parsed).map(\.description) == merged)
        #expect(Scope.merged(parsed.reversed()).map(\.description) == merged)
    }

    @Test(arguments: ["", "a", "a:b", ":b:c", "a::c", "a:b:", "::", ":"])
    func `what is no scope is passed over`(text: String) { #expect(Scope(parsing: text[...]) == nil) }
}
