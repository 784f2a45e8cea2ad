import Foundation
import OCI
import RegistryClient
import Synchronization
import TestSupport
import Testing

extension Testing.Tag {
    /// Runs a registry of others.
    @Tag static var interop: Self
}

extension RegistryClient.Configuration {
    /// One in which every failure is told at once.
    static var withoutRetries: Self {
        var configuration = Self()
        configuration.retryLimit = 0
        return configuration
    }
}

/// Runs an operation with a client of its own.
func withClient<Result>(
    _ configuration: RegistryClient.Configuration = RegistryClient.Configuration.withoutRetries,
    _ operation: (RegistryClient) async throws -> Result
) async throws -> Result {
    try await RegistryClient.withClient(configuration, operation)
}

/// A configuration with the same credentials for every registry.
func signedIn(as username: String = "me", _ password: String = "secret") -> RegistryClient.Configuration {
    var configuration = RegistryClient.Configuration.withoutRetries
    TestSecrets.remember(Data("\(username):\(password)".utf8).base64EncodedString())
    configuration.credentials = { _, _, _ in Credentials(username: username, password: password) }
    return configuration
}

/// The error of an operation that must fail.
func failure<Result>(
    sourceLocation: SourceLocation = #_sourceLocation,
    of operation: () async throws -> Result
) async throws -> RegistryError {
    let thrown = await #expect(throws: RegistryError.self, sourceLocation: sourceLocation) { _ = try await operation() }
    let error = try #require(thrown, sourceLocation: sourceLocation)
    #expect(TestSecrets.found(in: Array(error.description.utf8)) == [], sourceLocation: sourceLocation)
    return error
}

/// The error of an operation that must fail within a client of its own.
func clientFailure<Result>(
    _ configuration: RegistryClient.Configuration = RegistryClient.Configuration.withoutRetries,
    sourceLocation: SourceLocation = #_sourceLocation,
    of operation: (RegistryClient) async throws -> Result
) async throws -> RegistryError {
    try await failure(sourceLocation: sourceLocation) { try await withClient(configuration, operation) }
}

extension ScriptedRegistry {
    /// A repository of this registry.
    func repository(_ path: String = "app") throws -> Repository { try Repository(registry: address, path: path) }
}

extension LocalRegistry {
    /// A repository of this registry.
    func repository(_ path: String = "app") throws -> Repository { try Repository(registry: address, path: path) }

    /// A configuration that trusts the registry, and speaks TLS to it where it does.
    func configuration(
        _ configuration: RegistryClient.Configuration = signedIn()
    ) -> RegistryClient.Configuration {
        var configuration = configuration
        configuration.caFile = certificateAuthorityPath
        if certificateAuthorityPath != nil { configuration.schemes = [address: .https] }
        return configuration
    }
}

/// What a sink was given.
final class Received: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var offsets: [Int64] = []
        var lengths: [Int64] = []
        var restarts: [Int64] = []
    }

    private let state = Mutex(State())

    var bytes: [UInt8] { state.withLock { $0.bytes } }

    /// The numbers of bytes that were given in vain, each time the blob began again.
    var restarts: [Int64] { state.withLock { $0.restarts } }

    /// Whether each piece began where the one before it ended.
    var isInOrder: Bool {
        state.withLock { state in
            var next: Int64 = 0
            for (offset, length) in zip(state.offsets, state.lengths) {
                guard offset == next else { return false }
                next += length
            }
            return true
        }
    }

    /// Takes a piece: pass it as the sink.
    func take(_ bytes: RawSpan, _ offset: Int64) {
        state.withLock { state in
            if offset == 0 { (state.bytes, state.offsets, state.lengths) = ([], [], []) }
            bytes.withUnsafeBytes { state.bytes += $0 }
            state.offsets.append(offset)
            state.lengths.append(Int64(bytes.byteCount))
        }
    }

    /// Hears that the blob begins again.
    func restart(_ byteCount: Int64) { state.withLock { $0.restarts.append(byteCount) } }
}

extension TestBlob {
    /// Random bytes as a blob.
    static func random(_ byteCount: Int, seed: UInt64 = 7, algorithm: Digest.Algorithm = .sha256) throws -> TestBlob {
        try TestBlob(
            bytes: RandomBytes.make(count: byteCount, seed: seed),
            mediaType: MediaType(rawValue: "application/octet-stream"),
            algorithm: algorithm
        )
    }
}
