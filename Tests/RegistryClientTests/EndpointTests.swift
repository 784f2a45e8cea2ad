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

    @Test func `the scheme that was said of a registry is that registry's alone`() async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = ["a.example": .http, "localhost": .https]
        try await withClient(configuration) { client in
            #expect(client.registry("a.example").endpoint.baseURL == "http://a.example")
            #expect(client.registry("A.Example").endpoint.baseURL == "http://A.Example")
            #expect(client.registry("localhost").endpoint.baseURL == "https://localhost")
            #expect(client.registry("b.example").endpoint.baseURL == "https://b.example")
            #expect(client.registry("a.example:5000").endpoint.baseURL == "https://a.example:5000")
        }
    }

    /// A name that was said to be plain, and whether a registry is meant by it.
    @Test(arguments: [
        ("Registry.Site", "registry.site", true), ("registry.site", "registry.site:80", true),
        ("registry.site:80", "registry.site", true), ("registry.site:443", "registry.site", false),
        ("registry.site:5000", "registry.site", false), ("index.docker.io", "docker.io", true),
        ("registry-1.docker.io:80", "docker.io", true), ("docker.io", "index.docker.io", false),
        ("[FD00::1]:5000", "[fd00::1]:5000", true),
    ])
    func `a registry is meant by any of its names`(said: String, registry: String, isMeant: Bool) async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [said: .http]
        try await withClient(configuration) { client in
            #expect(client.registry(registry).endpoint.baseURL.hasPrefix("http://") == isMeant)
        }
    }

    @Test(arguments: ["registry.site", "registry.site:443", "REGISTRY.site"])
    func `of two things that were said of a registry TLS counts`(said: String) async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.schemes = [said: .https, "registry.Site": .http]
        try await withClient(configuration) { client in
            #expect(client.registry("registry.site").endpoint.baseURL == "https://registry.site")
        }
    }

    @Test(arguments: [
        // The registry itself, where it is plain.
        ("localhost:5000", "http://localhost:5000", true),
        // Another one on this machine, asked by a registry on this machine that is plain as well, or named.
        ("localhost:5000", "http://127.0.0.1:5001", true),
        ("[::1]:5000", "http://[::1]:5001", true),
        ("plain.example", "http://localhost:5001", true),
        // Not where the registry has TLS.
        ("tls.example", "http://tls.example", false),
        ("tls.example", "http://localhost:5001", false),
        ("docker.io", "http://registry-1.docker.io", false),
        // One that was named, with the port that its scheme means or another.
        ("tls.example", "http://plain.example", true),
        ("tls.example", "http://plain.example:80", true),
        ("tls.example", "http://plain.example:81", false),
        ("tls.example", "http://token.example:5001", true),
        ("plain.example", "http://token.example:5001", true),
        // Any other.
        ("localhost:5000", "http://other.example", false),
        ("plain.example", "http://other.example", false),
        ("plain.example", "http://tls.example", false),
    ])
    func `a token server is plain by the rule for a registry`(registry: String, url: String, isAllowed: Bool) throws {
        let plain: Set = ["plain.example", "token.example:5001"]
        let scheme: Scheme? = plain.contains(registry) ? .http : nil
        let endpoint = RegistryEndpoint(registry: registry, scheme: scheme, plainRegistries: plain)
        let origin = try #require(URLParts.origin(of: url))
        #expect(endpoint.allowsPlainTokenServer(at: origin) == isAllowed)
    }

    @Test(arguments: [
        ("https://registry.site/", ["registry.site", "registry.site:443"]),
        ("https://Registry.Site:5000/", ["registry.site:5000"]),
        ("https://registry.site:80/", ["registry.site:80"]),
        ("http://registry.site/", ["registry.site", "registry.site:80"]),
        ("https://[fd00::1]/", ["[fd00::1]", "[fd00::1]:443"]),
        ("https://[fd00::1]:5000/", ["[fd00::1]:5000"]),
        (
            "https://registry-1.docker.io/",
            [
                "registry-1.docker.io", "registry-1.docker.io:443", "docker.io", "docker.io:443", "index.docker.io",
                "index.docker.io:443",
            ]
        ),
    ])
    func `a host is called by its name, with the port unless that is its scheme's`(url: String, names: [String])
        throws
    {
        #expect(try #require(URLParts.origin(of: url)).names == Set(names))
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
