import OCI
import RegistryClient
import TestSupport
import Testing

@Suite struct BearerTests {
    private let content = RegistryContent()
    private let blobs: [TestBlob]

    init() throws {
        blobs = try (0..<50).map { try TestBlob.random(100, seed: UInt64($0)) }
        for repository in ["a", "b"] {
            for blob in blobs { try content.add(blob, repository: repository) }
        }
    }

    private func ask(_ client: RegistryClient, for repositories: [Repository]) async throws {
        try await withThrowingTaskGroup { group in
            for repository in repositories {
                for blob in blobs {
                    group.addTask {
                        let isThere = try await client.hasBlob(blob.descriptor, in: repository)
                        #expect(isThere)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: [1, 32])
    func `fifty requests at once share one token, and one challenge`(requestLimit: Int) async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository("a")
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.requestLimit = requestLimit
        try await withClient(configuration) { client in
            try await ask(client, for: [repository])
            #expect(client.requestCount == 52)
        }
        #expect(issuer.issued.map(\.scopes) == [["repository:a:pull"]])
        #expect(registry.count("GET", containing: "/token") == 1)
        #expect(registry.count("HEAD") == 51)
        #expect(registry.requests.count { $0.method == "HEAD" && $0.header("Authorization") == nil } == 1)
    }

    @Test func `a hundred requests for two repositories share two tokens, and one challenge`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repositories = [try registry.repository("a"), try registry.repository("b")]
        try await withClient { try await ask($0, for: repositories) }
        #expect(Set(issuer.issued.map(\.scopes)) == [["repository:a:pull"], ["repository:b:pull"]])
        #expect(issuer.issued.count == 2)
        #expect(registry.requests.count { $0.method == "HEAD" && $0.header("Authorization") == nil } == 1)
    }

    @Test(arguments: ["token", "access_token"])
    func `a token is used again, and asked for as the registry said`(key: String) async throws {
        let issuer = TokenIssuer(service: "a service", key: key, user: ("me", "secret"))
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository("a")
        try await withClient(signedIn()) { client in
            for _ in 0..<2 { try await ask(client, for: [repository]) }
        }
        #expect(issuer.issued.count == 1)
        let request = try #require(registry.requests.first { $0.path == "/token" })
        #expect(request.target == "/token?service=a%20service&scope=repository:a:pull&account=me")
        #expect(request.header("Authorization") == "Basic bWU6c2VjcmV0")
        let token = try #require(issuer.issued.first).text
        #expect(registry.requests.last?.header("Authorization") == "Bearer \(token)")
    }

    @Test func `no credentials are an anonymous token`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository("a")
        try await withClient { try await ask($0, for: [repository]) }
        #expect(issuer.issued.map(\.authorization) == [nil])
    }

    /// A token of a second lives for a minute: some servers mean nothing by the field.
    @Test(arguments: [1, 0, -5, 30, nil] as [Int?])
    func `a token that is said to be short is used for a minute`(lifetime: Int?) async throws {
        let issuer = TokenIssuer(lifetime: lifetime)
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository("a")
        try await withClient { client in
            // Two alone: on a busy machine many may take more than that minute.
            for _ in 0..<2 {
                let isThere = try await client.hasBlob(blobs[0].descriptor, in: repository)
                #expect(isThere)
            }
        }
        #expect(issuer.issued.count == 1)
    }

    @Test func `a token that was revoked is replaced, once for all who had it`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository("a")
        try await withClient { client in
            try await ask(client, for: [repository])
            issuer.revokeAll()
            try await ask(client, for: [repository])
        }
        #expect(issuer.issued.count == 2)
        #expect(registry.count("GET", containing: "/token") == 2)
    }

    @Test func `a registry that refuses every token is not asked for ever`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry { request in
            request.path == "/token"
                ? issuer.token(request)
                : .error(401, "DENIED", "not you").with(
                    "WWW-Authenticate",
                    "Bearer realm=\"http://\(request.header("Host") ?? "")/token\""
                )
        }
        let repository = try registry.repository("a")
        let error = try await clientFailure { try await $0.hasBlob(blobs[0].descriptor, in: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.subject == "\(repository)@\(blobs[0].digest)")
        #expect(registry.requests.count == 3)
    }

    @Test func `a request that fails first does not hold the others`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry { [content] request in
            request.path.contains("/bad/")
                ? Answer(transfer: .resetBeforeHead) : issuer.guarding(content.answer)(request)
        }
        let (bad, good) = (try registry.repository("bad"), try registry.repository("a"))
        try await withClient { client in
            async let first = failure { try await client.tags(of: bad) }
            try await ask(client, for: [good])
            #expect(try await first.code == .connectionLost)
        }
        // Once it is known what the registry asks for, what fails has a token too when it is tried again.
        #expect(issuer.issued.count { $0.scopes == ["repository:a:pull"] } == 1)
    }
}
