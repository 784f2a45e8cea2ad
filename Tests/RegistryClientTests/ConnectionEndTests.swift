import OCI
import RegistryClient
import TestSupport
import Testing

/// Connections that end as soon as the answer is there, which may be before the request has come to its own end.
///
/// With a request on one event loop and its connection on another, that ended the process, more often than not.
@Suite struct ConnectionEndTests {
    private let document: Document

    init() throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        document = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
    }

    /// It does not say that it will, so that a request may go to a connection that ends, and is sent again.
    @Test func `a server that ends each connection with its answer does no harm`() async throws {
        let answer = Array("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n".utf8)
        let registry = try ScriptedRegistry { _ in .raw(answer) }
        let repository = try registry.repository()
        // It waits before it tries again: then requests get connections that were made for others.
        var configuration = RegistryClient.Configuration()
        configuration.retryLimit = 3
        try await withClient(configuration) { client in
            try await withThrowingTaskGroup { group in
                for _ in 0..<32 {
                    group.addTask {
                        for _ in 0..<60 {
                            do {
                                try await put(with: client, repository)
                            } catch let error as RegistryError {
                                // Some have bad luck each time.
                                #expect(error.code == .connectionLost)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(registry.requests.count >= 32 * 60 / 2)
        #expect(registry.connectionCount >= registry.requests.count)
    }

    @Test func `a client may end with the last answer`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(201) }
        let repository = try registry.repository()
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<50 { try await withClient { try await put(with: $0, repository) } }
                }
            }
            try await group.waitForAll()
        }
        #expect(registry.requests.count == 8 * 50)
    }

    private func put(with client: RegistryClient, _ repository: Repository) async throws {
        _ = try await client.putManifest(document, as: .digest(document.descriptor.digest), in: repository)
    }
}
