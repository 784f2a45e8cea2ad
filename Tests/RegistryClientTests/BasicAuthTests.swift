import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct BasicAuthTests {
    /// A registry that lets `me` with the password `secret` in.
    private static func registry() async throws -> EmbeddedRegistry {
        let registry = try await EmbeddedRegistry(options: .init(user: ("me", "secret")))
        var builder = ImageBuilder()
        try registry.add(try builder.image(), "app")
        return registry
    }

    /// One that is empty, and that shows what it is sent.
    private static func watchedRegistry() throws -> ScriptedRegistry {
        let content = RegistryContent()
        return try ScriptedRegistry { request in
            request.header("Authorization") == "Basic bWU6c2VjcmV0"
                ? content.answer(request)
                : .error(401, "UNAUTHORIZED", "who are you?").with("WWW-Authenticate", "Basic realm=\"x\"")
        }
    }

    @Test func `a registry that asks for nothing is told nothing`() async throws {
        let content = RegistryContent()
        try content.add(try ImageBuilder().index(of: []), repository: "app", tag: "1")
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        let tags = try await withClient(signedIn()) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
        #expect(registry.requests.map { $0.header("Authorization") } == [nil])
    }

    @Test func `a registry that asks is answered, and from then on told at once`() async throws {
        let registry = try await Self.registry()
        let repository = try registry.repository()
        try await withClient(signedIn()) { client in
            for _ in 0..<3 {
                let tags = try await client.tags(of: repository)
                #expect(tags == ["1"])
            }
        }
        #expect(try await registry.finish().map(\.status).sorted() == [200, 200, 200, 401])
    }

    @Test func `a wrong password is tried once`() async throws {
        let registry = try await Self.registry()
        let repository = try registry.repository()
        let error = try await clientFailure(signedIn(as: "me", "hunter2")) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.status == 401)
        #expect(error.subject == repository.description)
        #expect(error.registryMessages == ["UNAUTHORIZED: the user name or the password is wrong"])
        #expect(error.description.contains(registry.address))
        #expect(!error.description.contains("hunter2") && !error.description.contains("bWU6"))
        #expect(try await registry.finish().map(\.status) == [401, 401])
    }

    @Test func `a wrong password is an error for every request`() async throws {
        let registry = try await Self.registry()
        let repository = try registry.repository()
        try await withClient(signedIn(as: "me", "hunter2")) { client in
            for _ in 0..<3 {
                let error = try await failure { try await client.tags(of: repository) }
                #expect(error.code == .unauthorized)
            }
        }
        // The first with and without, the others with.
        #expect(try await registry.finish().map(\.status) == [401, 401, 401, 401])
    }

    @Test func `without credentials the registry that asks is named`() async throws {
        let registry = try await Self.registry()
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.reason?.contains("asks for a user name and a password") == true)
        #expect(error.reason?.contains(registry.address) == true)
        #expect(error.description.contains("listing the tags of \(repository)"))
        #expect(try await registry.finish().map(\.status) == [401])
    }

    @Test func `credentials are looked up for the registry, and go to no other`() async throws {
        let (mine, other) = (try Self.watchedRegistry(), try Self.watchedRegistry())
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.credentials = { [address = mine.address] registry, _, _ in
            registry == address ? Credentials(username: "me", password: "secret") : nil
        }
        let (here, there) = (try mine.repository(), try other.repository())
        try await withClient(configuration) { client in
            let known = try await failure { try await client.tags(of: here) }
            #expect(known.code == .notFound)
            let unknown = try await failure { try await client.tags(of: there) }
            #expect(unknown.code == .unauthorized)
        }
        #expect(other.requests.allSatisfy { $0.header("Authorization") == nil })
    }

    @Test(arguments: ["Negotiate", "NTLM, Digest realm=\"x\"", "Negotiate YII="])
    func `a scheme that is not known is named`(challenge: String) async throws {
        let registry = try ScriptedRegistry { _ in Answer(401, headers: [("WWW-Authenticate", challenge)]) }
        let repository = try registry.repository()
        let error = try await clientFailure(signedIn()) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.reason?.contains(challenge.lowercased().prefix(4)) == true)
        #expect(registry.requests.count == 1)
    }

    @Test(arguments: [nil, "", "=\"", "\u{1}"] as [String?])
    func `a refusal without a challenge is a refusal`(challenge: String?) async throws {
        let registry = try ScriptedRegistry { _ in
            Answer(401, headers: challenge.map { [("WWW-Authenticate", $0)] } ?? [])
        }
        let repository = try registry.repository()
        let error = try await clientFailure(signedIn()) { try await $0.tags(of: repository) }
        // A header with a control character is no HTTP.
        #expect(error.code == (challenge == "\u{1}" ? .connectionLost : .unauthorized))
        #expect(registry.requests.count == 1)
    }

    @Test func `of several challenges the one that is known is answered`() async throws {
        let registry = try ScriptedRegistry { request in
            request.header("Authorization") == "Basic bWU6c2VjcmV0"
                ? .text(#"{"tags":["1"]}"#)
                : Answer(
                    401,
                    headers: [("WWW-Authenticate", "Negotiate YIIB=="), ("WWW-Authenticate", "Basic realm=x")]
                )
        }
        let repository = try registry.repository()
        let tags = try await withClient(signedIn()) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
    }
}
