import Foundation
import NIOSSL
import OCI
import TestSupport
import Testing

@testable import RegistryClient

/// Who is trusted where, and which certificate is shown where: real servers, each with an authority of its own.
@Suite struct TrustTests {
    private static let tags = #"location / { return 200 '{"tags":["1"]}'; }"#
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// A configuration with the folder of this test, in which nothing is yet, and no authority but what is said.
    private func configuration(_ servers: Nginx...) -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.certificateFolders = [scratch.path("certs.d")]
        // All servers of the tests are on loopback.
        for server in servers { configuration.schemes[server.address] = .https }
        return configuration
    }

    private func trust(_ server: Nginx) throws {
        try scratch.write(server.scratch.read("ca.pem"), to: "certs.d/\(server.address)/ca.crt")
    }

    private func identify(at server: Nginx) throws {
        _ = try TestCertificate.makeClient("client", in: server.scratch)
        for name in ["client.cert", "client.key"] {
            try scratch.write(server.scratch.read(name), to: "certs.d/\(server.address)/\(name)")
        }
    }

    private func tags(of server: Nginx, _ configuration: RegistryClient.Configuration) async throws -> [String] {
        let repository = try Repository(registry: server.address, path: "app")
        return try await withClient(configuration) { try await $0.tags(of: repository) }
    }

    private func refusal(
        _ server: Nginx,
        _ configuration: RegistryClient.Configuration,
        _ location: SourceLocation = #_sourceLocation
    ) async throws -> RegistryError {
        try await failure(sourceLocation: location) { try await tags(of: server, configuration) }
    }

    @Test func `an authority in a host's directory is trusted for that host`() async throws {
        let (server, other) = (try Nginx(locations: Self.tags), try Nginx(locations: Self.tags))
        let configuration = configuration(server, other)
        #expect(try await refusal(server, configuration).code == .untrustedCertificate)
        try trust(server)
        #expect(try await tags(of: server, configuration) == ["1"])
        // And for no other.
        try scratch.write(other.scratch.read("ca.pem"), to: "certs.d/\(server.address)/other.crt")
        #expect(try await refusal(other, configuration).code == .untrustedCertificate)
    }

    @Test func `the files that an option and the environment name are trusted everywhere`() async throws {
        let (server, other) = (try Nginx(locations: Self.tags), try Nginx(locations: Self.tags))
        var configuration = configuration(server, other)
        configuration.caFile = server.certificate.authorityPath
        configuration.environmentCAFile = other.certificate.authorityPath
        for server in [server, other] { #expect(try await tags(of: server, configuration) == ["1"]) }
    }

    @Test func `a system without any authority does with one of its own`() async throws {
        let server = try Nginx(locations: Self.tags)
        var configuration = configuration(server)
        configuration.systemCAFiles = [scratch.path("none.pem")]
        #expect(try await refusal(server, configuration).code == .untrustedCertificate)
        configuration.caFile = server.certificate.authorityPath
        #expect(try await tags(of: server, configuration) == ["1"])
        configuration.caFile = nil
        try trust(server)
        #expect(try await tags(of: server, configuration) == ["1"])
    }

    @Test func `a server that wants a certificate gets the one that is kept for it`() async throws {
        let server = try Nginx(clients: .required, locations: Self.tags)
        var configuration = configuration(server)
        try trust(server)
        let error = try await refusal(server, configuration)
        #expect(error.status == 400)
        let place = "/etc/docker/certs.d/\(server.address)/client.cert and client.key"
        #expect(error.reason == "the server wants a certificate of ours; put it and its key there as \(place)")
        try identify(at: server)
        #expect(try await tags(of: server, configuration) == ["1"])
        // Alone in its directory it is enough, where the authority is known otherwise.
        try FileManager.default.removeItem(atPath: scratch.path("certs.d/\(server.address)/ca.crt"))
        configuration.caFile = server.certificate.authorityPath
        #expect(try await tags(of: server, configuration) == ["1"])
        // It does not depend on who the server is.
        configuration.caFile = nil
        configuration.insecureRegistries = [server.address]
        #expect(try await tags(of: server, configuration) == ["1"])
        server.stop()
        let path = "GET /v2/app/tags/list|-|-"
        #expect(server.requests == ["-|" + path] + [String](repeating: "CN=client|" + path, count: 3))
    }

    @Test func `certificates that are not verified at one host are at all others`() async throws {
        let (server, other) = (try Nginx(locations: Self.tags), try Nginx(locations: Self.tags))
        var configuration = configuration(server, other)
        configuration.insecureRegistries = [server.address]
        #expect(try await tags(of: server, configuration) == ["1"])
        #expect(try await refusal(other, configuration).code == .untrustedCertificate)
    }

    @Test func `a redirect to another host shows it no certificate, and trusts its own authority`() async throws {
        let blob = try TestBlob(
            bytes: Array("a blob".utf8),
            mediaType: MediaType(rawValue: "application/octet-stream")
        )
        let other = try Nginx(clients: .asked, locations: "location / { return 200 'a blob'; }")
        let registry = try Nginx(
            clients: .required,
            locations: "location / { return 307 https://\(other.address)/elsewhere; }"
        )
        let configuration = configuration(registry)
        try trust(registry)
        try identify(at: registry)
        let repository = try Repository(registry: registry.address, path: "app")
        let fetch = { () async throws -> [UInt8] in
            let received = Received()
            try await withClient(configuration) {
                try await $0.fetchBlob(blob.descriptor, from: repository, into: received.take)
            }
            return received.bytes
        }
        // Its authority is another.
        let untrusted = try await failure(of: fetch)
        #expect(untrusted.code == .untrustedCertificate)
        #expect(untrusted.request == "GET https://\(other.address)/elsewhere")
        // A file of its that cannot be used is told when it is met, before anything is sent there.
        let path = try scratch.write("nothing", to: "certs.d/\(other.address)/ca.crt")
        let unusable = try await failure(of: fetch)
        #expect(unusable.code == .unusableCertificates)
        #expect(unusable.reason?.contains(path) == true)
        try trust(other)
        #expect(try await fetch() == Array("a blob".utf8))
        other.stop()
        registry.stop()
        #expect(other.requests == ["-|GET /elsewhere|-|-"])
        #expect(registry.requests.allSatisfy { $0.hasPrefix("CN=client|GET /v2/app/blobs/") })
        #expect(registry.requests.count == 3)
    }

    @Test func `the certificate of a token server is verified with the authorities of its host`() async throws {
        let tokens = try Nginx(locations: #"location / { return 200 '{"token":"t"}'; }"#)
        let registry = try Nginx(
            locations: """
                location / {
                    if ($http_authorization = "Bearer t") { return 200 '{"tags":["1"]}'; }
                    add_header WWW-Authenticate 'Bearer realm="https://\(tokens.address)/token"' always;
                    return 401;
                }
                """
        )
        let configuration = configuration(registry)
        try trust(registry)
        let error = try await refusal(registry, configuration)
        #expect(error.code == .untrustedCertificate)
        #expect(tokens.requests.isEmpty)
        try trust(tokens)
        #expect(try await tags(of: registry, configuration) == ["1"])
    }

    /// A host that gives tokens and blobs, for registries that send everybody there.
    private static let annex = #"location /token { return 200 '{"token":"t"}'; } location / { return 200 'a blob'; }"#

    private static func sending(to annex: Nginx) -> String {
        """
        location / {
            if ($http_authorization = "Bearer t") { return 307 https://\(annex.address)/elsewhere; }
            add_header WWW-Authenticate 'Bearer realm="https://\(annex.address)/token"' always;
            return 401;
        }
        """
    }

    private func blob(of server: Nginx, _ configuration: RegistryClient.Configuration) async throws -> [UInt8] {
        let blob = try TestBlob(
            bytes: Array("a blob".utf8),
            mediaType: MediaType(rawValue: "application/octet-stream")
        )
        let repository = try Repository(registry: server.address, path: "app")
        let received = Received()
        try await withClient(configuration) {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        return received.bytes
    }

    @Test func `the authorities of a registry vouch for where it sends us, and nothing else of it goes there`()
        async throws
    {
        let annex = try Nginx(clients: .asked, locations: Self.annex)
        let registry = try Nginx(clients: .required, locations: Self.sending(to: annex))
        let stranger = try Nginx(locations: Self.sending(to: annex))
        var configuration = configuration(registry, stranger, annex)
        for server in [registry, stranger] { try trust(server) }
        try identify(at: registry)
        let untrusted = try await failure { try await blob(of: registry, configuration) }
        #expect(untrusted.code == .untrustedCertificate)
        #expect(untrusted.request == "GET https://\(annex.address)/token")
        try scratch.write(annex.scratch.read("ca.pem"), to: "certs.d/\(registry.address)/annex.crt")
        #expect(try await blob(of: registry, configuration) == Array("a blob".utf8))
        // For nobody else, and for nobody by itself.
        for server in [stranger, annex] {
            let error = try await failure { try await blob(of: server, configuration) }
            #expect(error.code == .untrustedCertificate, "\(error)")
        }
        // That one host is not verified says nothing of the other.
        try FileManager.default.removeItem(atPath: scratch.path("certs.d/\(registry.address)/annex.crt"))
        configuration.insecureRegistries = [registry.address]
        let unverified = try await failure { try await blob(of: registry, configuration) }
        #expect(unverified.code == .untrustedCertificate)
        annex.stop()
        #expect(annex.requests == ["-|GET /token|-|-", "-|GET /elsewhere|-|-"])
    }

    @Test func `files of the registries that are named are read before anything is sent`() async throws {
        let server = try Nginx(locations: Self.tags)
        var configuration = configuration(server)
        configuration.insecureRegistries = [server.address]
        let path = try scratch.write("nothing", to: "certs.d/\(server.address)/ca.crt")
        configuration.registries = [server.address]
        let error = try #require(
            await #expect(throws: TrustError.self) {
                try await withClient(configuration) { _ in Issue.record("there is a client") }
            }
        )
        #expect(error.path == path)
        // Over plain HTTP nobody looks at them.
        configuration.schemes[server.address] = .http
        try await withClient(configuration) { _ in }
    }

    @Test func `plain HTTP to a server with TLS says what to give`() async throws {
        let server = try Nginx(locations: Self.tags)
        let error = try await refusal(server, .withoutRetries)
        #expect(error.status == 400)
        #expect(error.reason == "the server speaks TLS there; --tls \(server.address) says so")
    }

    @Test func `what is older than TLS 1_2 is not spoken`() throws {
        let store = try TrustStore(.withoutRetries)
        let origin = try #require(URLParts.origin(of: "https://registry.site/"))
        #expect(try store.trust(for: origin).tls.minimumTLSVersion == .tlsv12)
    }
}
