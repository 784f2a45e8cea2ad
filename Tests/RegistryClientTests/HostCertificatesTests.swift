import Foundation
import NIOSSL
import TestSupport
import Testing

@testable import RegistryClient

/// The directories in which docker and podman keep the certificates of hosts.
@Suite struct HostCertificatesTests {
    private let scratch: ScratchDirectory
    private let certificate: TestCertificate

    init() throws {
        scratch = try ScratchDirectory()
        certificate = try TestCertificate.make(in: scratch)
        _ = try TestCertificate.makeClient("client", in: scratch)
        _ = try TestCertificate.makeClient("other", in: scratch)
    }

    /// Copies a file that was made to a place in a folder of certificates.
    private func put(_ name: String, _ place: String, in folder: String = "certs.d") throws {
        try scratch.write(scratch.read(name), to: "\(folder)/\(place)")
    }

    private func read(_ url: String, folders: [String] = ["certs.d"]) throws -> HostCertificates {
        let origin = try #require(URLParts.origin(of: url))
        return try HostCertificates(in: folders.map(scratch.path), names: origin.names)
    }

    @Test(arguments: [
        ("registry.site", "https://registry.site/", true),
        ("registry.site:443", "https://registry.site/", true),
        ("registry.site", "https://registry.site:443/", true),
        ("Registry.Site", "https://registry.site/", true),
        ("registry.site:5000", "https://registry.site:5000/", true),
        // A directory without a port is for the port of TLS, not for every other.
        ("registry.site", "https://registry.site:5000/", false),
        ("registry.site:5000", "https://registry.site/", false),
        ("registry.site", "https://a.registry.site/", false),
        ("site", "https://registry.site/", false),
        // Docker Hub by the name that references have, or by its host's.
        ("docker.io", "https://registry-1.docker.io/", true),
        ("registry-1.docker.io", "https://registry-1.docker.io/", true),
        ("docker.io", "https://auth.docker.io/", false),
        // IPv6.
        ("[fd00::1]:5000", "https://[fd00::1]:5000/", true),
        ("[fd00::1]", "https://[fd00::1]/", true),
        ("fd00::1", "https://[fd00::1]/", false),
    ])
    func `a host's directory has its name`(directory: String, url: String, isFound: Bool) throws {
        try put("ca.pem", "\(directory)/ca.crt")
        #expect(try read(url).authorities.count == (isFound ? 1 : 0))
    }

    @Test func `authorities alone, a certificate alone, and both`() throws {
        try put("ca.pem", "ca/a.crt")
        try put("client.cert", "own/client.cert")
        try put("client.key", "own/client.key")
        for name in ["client.cert", "client.key"] { try put(name, "both/\(name)") }
        try scratch.write(scratch.read("ca.pem") + scratch.read("server.pem"), to: "certs.d/both/two.crt")
        try put("ca.pem", "both/third.crt")
        // Of other names nothing is known.
        for name in ["README", "ca.pem", ".crt.swp", "client.cert.old", "key"] {
            try scratch.write("nothing", to: "certs.d/both/\(name)")
        }
        let (ca, own, both) = (try read("https://ca/"), try read("https://own/"), try read("https://both/"))
        #expect(ca.authorities.count == 1 && ca.identity == nil)
        #expect(own.authorities.isEmpty && own.identity?.chain.count == 1)
        #expect(both.authorities.count == 3 && both.identity != nil)
        #expect(try read("https://neither/").isEmpty)
    }

    @Test func `the first of several certificates is shown`() throws {
        for name in ["client", "other"] {
            try put("\(name).cert", "a/\(name).cert")
            try put("\(name).key", "a/\(name).key")
        }
        try put("other.cert", "a/z.cert", in: "user")
        try put("other.key", "a/z.key", in: "user")
        let client = try NIOSSLCertificate.fromPEMFile(scratch.path("client.cert"))
        let other = try NIOSSLCertificate.fromPEMFile(scratch.path("other.cert"))
        #expect(try read("https://a/").identity?.chain == client)
        #expect(try read("https://a/", folders: ["user", "certs.d"]).identity?.chain == other)
    }

    @Test func `folders add up, and one that is not there says nothing`() throws {
        try put("ca.pem", "a/1.crt", in: "etc")
        try put("ca.pem", "a/2.crt", in: "home")
        #expect(try read("https://a/", folders: ["none", "home", "etc"]).authorities.count == 2)
    }

    /// A file, what it is called, and what is said of it.
    @Test(arguments: [
        ("", "ca.crt", "it is no PEM file of certificates"),
        ("no certificate", "ca.crt", "it is no PEM file of certificates"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca.crt",
            "it is no PEM file of certificates"
        ),
        ("client.cert", "client.cert", "its key is missing; put it beside it as client.key"),
        ("client.key", "client.key", "its certificate is missing; put it beside it as client.cert"),
        ("client.key", "ca.crt", "it is no PEM file of certificates"),
    ])
    func `a file that cannot be used is named`(content: String, name: String, reason: String) throws {
        let bytes = (try? scratch.read(content)) ?? Array(content.utf8)
        let path = try scratch.write(content.isEmpty ? [] : bytes, to: "certs.d/a/\(name)")
        let error = try #require(#expect(throws: TrustError.self) { try read("https://a/") })
        #expect(error.path == path)
        #expect(error.description.hasPrefix("reading the certificates in \(path): \(reason)"), "\(error)")
        // What is wrong with another host is its own matter.
        #expect(try read("https://b/").isEmpty)
    }

    @Test func `a key that is broken, or another's, is named`() throws {
        try put("client.cert", "a/client.cert")
        let path = try scratch.write("no key", to: "certs.d/a/client.key")
        let broken = try #require(#expect(throws: TrustError.self) { try read("https://a/") })
        #expect(broken.path == path)
        #expect(broken.reason.hasPrefix("it is no PEM file of a key"))
        try put("other.key", "a/client.key")
        let wrong = try #require(#expect(throws: TrustError.self) { try read("https://a/") })
        #expect(wrong.path == path)
        #expect(wrong.reason.hasPrefix("it is not the key of the certificate in "))
        let protected = try Command(
            "openssl",
            ["ec", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "certs.d/a/client.key"],
            directory: scratch.path
        ).runBlocking()
        #expect(protected.status == 0)
        let locked = try #require(#expect(throws: TrustError.self) { try read("https://a/") })
        #expect(locked.reason.contains("needs a password"))
    }

    @Test func `the file that the environment names is told with its variable`() async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.environmentCAFile = scratch.path("none.pem")
        let error = try #require(
            await #expect(throws: TrustError.self) { try await withClient(configuration) { _ in } }
        )
        #expect(
            error.description == """
                reading the certificates in \(scratch.path("none.pem")), which SSL_CERT_FILE names: there is no such file
                """
        )
    }
}
