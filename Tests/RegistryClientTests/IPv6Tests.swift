import Foundation
import OCI
import RegistryTestSupport
import TestSupport
import Testing

@testable import RegistryClient

/// Registries that are named by an IPv6 address.
@Suite struct IPv6Tests {
    @Test(arguments: [false, true])
    func `a registry is reached at an IPv6 address, with its certificate`(usesTLS: Bool) async throws {
        let registry = try await EmbeddedRegistry(options: .init(usesTLS: usesTLS), host: "::1")
        try #require(registry.address.hasPrefix("[::1]:"))
        let scratch = try ScratchDirectory()
        var configuration = RegistryClient.Configuration.withoutRetries
        if let authority = registry.certificateAuthorityPath {
            configuration.schemes = [registry.address: .https]
            configuration.certificateFolders = [scratch.path]
            try scratch.write(Data(contentsOf: URL(filePath: authority)), to: "\(registry.address)/ca.crt")
        }
        let blob = try TestBlob.random(100_000)
        let (file, repository) = (try OpenBlob(blob), try registry.repository())
        let received = Received()
        try await withClient(configuration) { client in
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        #expect(received.bytes == (try blob.bytes))
    }

    @Test(arguments: [
        ("https://[FD00::1]:5000/v2/", "[fd00::1]:5000", "[fd00::1]"), ("http://[::1]/", "[::1]", "[::1]"),
        ("https://[::1]:443/", "[::1]", "[::1]"), ("https://10.0.0.1:80/", "10.0.0.1:80", "10.0.0.1"),
    ])
    func `an address has its brackets wherever a port may follow`(url: String, authority: String, host: String) throws {
        let origin = try #require(URLParts.origin(of: url))
        #expect(origin.authority == authority)
        #expect(origin.hostText == host)
        #expect(!origin.host.contains("["))
    }
}
