import Testing

@testable import RegistryClient

@Suite struct EndpointTests {
    @Test(arguments: [
        // Docker Hub's API is on another host than its name says.
        ("docker.io", nil, "https://registry-1.docker.io"),
        ("registry-1.docker.io", nil, "https://registry-1.docker.io"),
        ("quay.io", nil, "https://quay.io"),
        ("registry.site:5000", nil, "https://registry.site:5000"),
        // This machine is spoken to without TLS.
        ("localhost", nil, "http://localhost"),
        ("localhost:5000", nil, "http://localhost:5000"),
        ("127.0.0.1:5000", nil, "http://127.0.0.1:5000"),
        ("127.255.255.254", nil, "http://127.255.255.254"),
        ("[::1]", nil, "http://[::1]"),
        ("[::1]:5000", nil, "http://[::1]:5000"),
        // What only begins like this machine is another one.
        ("localhost.evil.example", nil, "https://localhost.evil.example"),
        ("localhostevil:5000", nil, "https://localhostevil:5000"),
        ("127.0.0.1.evil", nil, "https://127.0.0.1.evil"),
        ("127.0.0.1.evil.example:5000", nil, "https://127.0.0.1.evil.example:5000"),
        ("127.evil.example.com", nil, "https://127.evil.example.com"),
        ("127.0.0.256", nil, "https://127.0.0.256"),
        ("127.0.0.", nil, "https://127.0.0."),
        ("127.1", nil, "https://127.1"),
        ("128.0.0.1", nil, "https://128.0.0.1"),
        ("10.127.0.1", nil, "https://10.127.0.1"),
        ("[::2]:5000", nil, "https://[::2]:5000"),
        ("[::1].evil", nil, "https://[::1].evil"),
        // What the user said counts before all of that.
        ("localhost:5000", Scheme.https, "https://localhost:5000"),
        ("registry.site:5000", Scheme.http, "http://registry.site:5000"),
        ("docker.io", Scheme.http, "http://registry-1.docker.io"),
    ])
    func `a registry is reached at its address`(registry: String, scheme: Scheme?, expected: String) {
        let endpoint = RegistryEndpoint(registry: registry, scheme: scheme)
        #expect(endpoint.baseURL == expected)
        #expect(endpoint.registry == registry)
    }

    /// `schemes` before `plainHTTP` before the rule.
    @Test func `the scheme that was said of one registry overrules what was said of all`() async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.plainHTTP = true
        configuration.schemes = ["a.example": .https, "localhost": .https]
        try await withClient(configuration) { client in
            #expect(client.registry("a.example").endpoint.baseURL == "https://a.example")
            #expect(client.registry("localhost").endpoint.baseURL == "https://localhost")
            #expect(client.registry("b.example").endpoint.baseURL == "http://b.example")
        }
    }

    @Test(arguments: [
        ("https://a/", "https://b/", false),
        ("http://a/", "https://b/", false),
        ("http://a/", "http://b/", false),
        // TLS that was there must stay.
        ("https://a/", "http://a/", true),
        ("HTTPS://a/", "HTTP://b/", true),
    ])
    func `only going from https to http gives up TLS`(source: String, target: String, expected: Bool) {
        #expect(RedirectPolicy.isDowngrade(from: source, to: target) == expected)
    }
}
