import Logging
import RegistryServer
package import TestSupport

/// The registry of Drayage itself, run within the tests' process for one test, on a free port of this machine.
///
/// It ends with the value.
package final class EmbeddedRegistry: LocalRegistry {
    package let address: String
    package let storage: RegistryStorage
    package let certificateAuthorityPath: String?

    private let scratch: ScratchDirectory
    private let log = RequestLog()
    private let ending: AsyncStream<Never>.Continuation
    private let serving: Task<Void, any Error>

    /// Starts a registry and waits until it listens.
    ///
    /// - Parameters:
    ///   - storage: its content; nil is a directory that goes with it.
    ///   - options: how it is set up. It always allows to delete.
    ///   - host: the address of this machine to listen at. A certificate is for what the options say.
    /// - Throws: what stands in the way of the server.
    package init(
        on storage: RegistryStorage? = nil,
        options: RegistryOptions = RegistryOptions(),
        host: String = "127.0.0.1"
    ) async throws {
        scratch = try ScratchDirectory()
        let storage = try storage ?? RegistryStorage(in: ScratchDirectory(inMemory: true))
        self.storage = storage
        let certificate = options.usesTLS ? try TestCertificate.make(in: scratch, for: options.certificateNames) : nil
        certificateAuthorityPath = certificate?.authorityPath
        var configuration = RegistryServer.Configuration()
        configuration.host = host
        configuration.port = 0
        configuration.tls = certificate.map { .init(certificatePath: $0.certificatePath, keyPath: $0.keyPath) }
        configuration.passwordFile = try options.passwordFile(in: scratch)
        configuration.logger = Logger(label: "test", factory: { [log] _ in RequestLog.Handler(log: log) })

        let (ends, ending) = AsyncStream.makeStream(of: Never.self)
        let (starts, starting) = AsyncThrowingStream.makeStream(of: String.self)
        // It has the path, not the storage: what goes with this value is not to wait for the server's end.
        let serving = Task { [configuration, root = storage.root] in
            do {
                let content = try ServedContent.directory(root, isReadOnly: options.isReadOnly)
                try await RegistryServer.withServer(of: content, configuration) { server in
                    starting.yield(server.address)
                    for await _ in ends {}
                }
            } catch {
                starting.finish(throwing: error)
                throw error
            }
        }
        (self.ending, self.serving) = (ending, serving)
        var addresses = starts.makeAsyncIterator()
        guard let address = try await addresses.next() else {
            serving.cancel()
            throw CancellationError()
        }
        self.address = address
    }

    /// Closes every connection at once, as a test has no more to ask.
    deinit { serving.cancel() }

    package func finish() async throws -> [LoggedRequest] {
        ending.finish()
        try await serving.value
        return log.requests
    }
}
