import OCI
import RegistryClient
import TestSupport
import Testing

/// What goes wrong once for many requests is told by each of them under its own name.
@Suite struct SharedFailureTests {
    private let blobs: [TestBlob]

    init() throws { blobs = try (0..<30).map { try TestBlob.random(10, seed: UInt64($0)) } }

    /// The errors of asking for every blob at once, in the order of the blobs.
    private func failures(_ client: RegistryClient, _ repository: Repository) async throws -> [RegistryError] {
        try await withThrowingTaskGroup { group in
            for (index, blob) in blobs.enumerated() {
                group.addTask {
                    (index, try await failure { try await client.hasBlob(blob.descriptor, in: repository) })
                }
            }
            var result: [Int: RegistryError] = [:]
            for try await (index, error) in group { result[index] = error }
            return blobs.indices.compactMap { result[$0] }
        }
    }

    @Test func `a registry that cannot be reached is tried once`() async throws {
        let repository = try Repository(registry: try ScriptedRegistry.refusingAddress(), path: "app")
        try await withClient { client in
            let errors = try await failures(client, repository)
            #expect(errors.map(\.code) == blobs.map { _ in .unreachable })
            #expect(errors.map(\.subject) == blobs.map { "\(repository)@\($0.digest)" })
            #expect(client.requestCount == 1)
        }
    }

    @Test func `a token server that refuses is told by every request`() async throws {
        let issuer = TokenIssuer(user: ("me", "secret"))
        let registry = try ScriptedRegistry(issuer.guarding(RegistryContent().answer))
        let repository = try registry.repository()
        try await withClient(signedIn(as: "me", "hunter2")) { client in
            let errors = try await failures(client, repository)
            #expect(errors.map(\.code) == blobs.map { _ in .unauthorized })
            #expect(errors.map(\.subject) == blobs.map { "\(repository)@\($0.digest)" })
            #expect(Set(errors.map(\.request)) == ["GET http://\(registry.address)/token"])
            #expect(!errors.contains { $0.description.contains("hunter2") })
        }
        // The registry itself was asked once; what nobody may do was not tried.
        #expect(registry.count("HEAD") == 1)
        #expect(issuer.issued.isEmpty)
    }
}
