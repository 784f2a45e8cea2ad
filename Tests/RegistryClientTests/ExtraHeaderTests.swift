import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// What the user sends to one registry besides: there, and nowhere else.
@Suite struct ExtraHeaderTests {
    private let secret = TestSecrets.make()

    private func configuration(_ registry: ScriptedRegistry) throws -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.headers[registry.address] = [try ExtraHeader(name: "X-Gate", value: " \(secret)\t")]
        return configuration
    }

    @Test func `it goes with every request to its registry, and not to another or to its token server`() async throws {
        let content = RegistryContent()
        let blob = try TestBlob.random(1000)
        try content.add(blob, repository: "app")
        let tokens = TokenIssuer()
        let server = try ScriptedRegistry(tokens.token)
        let issuer = TokenIssuer(realm: "http://\(server.address)/token")
        let registry = try ScriptedRegistry { request in
            request.header("Authorization") == nil ? issuer.guarding(content.answer)(request) : content.answer(request)
        }
        let other = try ScriptedRegistry(content.answer)
        let sent = try TestBlob.random(2000)
        let file = try OpenBlob(sent)
        try await withClient(configuration(registry)) { client in
            for host in [registry, other] {
                let repository = try host.repository()
                _ = try await client.hasBlob(blob.descriptor, in: repository)
                try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in }
            }
            try await client.putBlob(sent.descriptor, to: registry.repository(), from: file.range) { _ in }
        }
        #expect(registry.requests.count > 4)
        #expect(registry.requests.allSatisfy { $0.header("X-Gate") == secret })
        #expect(!server.requests.isEmpty)
        for request in server.requests + other.requests { #expect(request.header("X-Gate") == nil) }
    }

    @Test func `a token server on the registry's own host gets it too`() async throws {
        let (issuer, content) = (TokenIssuer(), RegistryContent())
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        try await withClient(configuration(registry)) { client in
            _ = try await client.repositories(of: registry.address)
        }
        #expect(registry.count("GET", containing: "/token") == 1)
        #expect(registry.requests.allSatisfy { $0.header("X-Gate") == secret })
    }

    @Test func `its registry is meant by any of its names`() async throws {
        let registry = try ScriptedRegistry(RegistryContent().answer)
        var configuration = RegistryClient.Configuration.withoutRetries
        let name = registry.address.replacing("127.0.0.1", with: "localhost")
        configuration.headers[name.uppercased()] = [try ExtraHeader(name: "X-Gate", value: secret)]
        try await withClient(configuration) { client in
            _ = try await client.repositories(of: name)
            _ = try await client.repositories(of: registry.address)
        }
        #expect(registry.requests.map { $0.header("X-Gate") } == [secret, nil])
    }

    @Test func `a redirect elsewhere loses it, and one at the registry does not`() async throws {
        let content = RegistryContent()
        let blob = try TestBlob.random(1000)
        try content.add(blob, repository: "app")
        let elsewhere = try ScriptedRegistry(content.answer)
        for host in [nil, elsewhere.address] {
            let registry = try ScriptedRegistry { request in
                if request.path.hasPrefix("/moved") { return Answer(body: (try? blob.bytes) ?? []) }
                let path = host == nil ? "/moved" : request.path
                return .redirect(to: (host.map { "http://\($0)" } ?? "") + path)
            }
            try await withClient(configuration(registry)) { client in
                try await client.fetchBlob(blob.descriptor, from: registry.repository()) { _, _ in }
            }
            #expect(registry.requests.count == (host == nil ? 2 : 1))
            #expect(registry.requests.allSatisfy { $0.header("X-Gate") == secret })
        }
        #expect(elsewhere.requests.count == 1)
        #expect(elsewhere.requests.allSatisfy { $0.header("X-Gate") == nil })
    }

    @Test(arguments: [
        ("X-Gate", "value"), ("x", "a b\tc"), ("Cookie", "a=b; c"), ("!#$%&'*+-.^_`|~09", "é".isEmpty ? "" : "~"),
    ])
    func `a name and a value that can be sent`(name: String, value: String) throws {
        #expect(try ExtraHeader(name: name, value: value).name == name)
    }

    @Test(arguments: [
        ("", "v"), ("X Gate", "v"), ("X:Gate", "v"), ("X\r\nHost", "v"), ("Ä", "v"), ("X\u{0}", "v"), ("X", ""),
        ("X", "  "),
        ("X", "a\r\nb"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\u{0}b"), ("X", "\u{7F}"), ("X", "é"),
        ("X", "a\u{1b}[2J"),
        ("X", String(repeating: "a", count: 8193)), ("Host", "v"), ("hOST", "v"), ("Content-Length", "1"),
        ("Authorization", "v"), ("Range", "v"), ("Transfer-Encoding", "v"), ("Connection", "v"), ("Accept", "v"),
        ("Content-Type", "v"), ("Proxy-Authorization", "v"), ("User-Agent", "v"), ("Expect", "v"),
    ])
    func `a name or a value that cannot, and no word of the value`(name: String, value: String) throws {
        let error = #expect(throws: ExtraHeader.Failure.self) { try ExtraHeader(name: name, value: value) }
        let text = error.map { "\($0)" } ?? ""
        #expect(!text.unicodeScalars.contains { $0.value < 32 })
        #expect(value.count < 3 || !text.contains(value))
    }

    @Test func `its value is printed nowhere`() throws {
        let header = try ExtraHeader(name: "X-Gate", value: secret)
        var dumped = ""
        dump(header, to: &dumped)
        for text in ["\(header)", String(reflecting: header), dumped] { #expect(!text.contains(secret)) }
    }
}
