package import TestSupport

/// The registries that a test runs against.
package enum RegistryKind: CaseIterable, Sendable {
    /// Ours.
    case embedded
    /// Debian's `docker-registry`, which knows nothing of our ideas of it.
    case docker

    /// Starts one, with no content or with that of one that has ended.
    package func start(
        _ options: RegistryOptions = RegistryOptions(),
        on storage: RegistryStorage? = nil
    ) async throws -> any LocalRegistry {
        let storage = try storage ?? RegistryStorage(in: ScratchDirectory(inMemory: true))
        return switch self {
        case .embedded: try await EmbeddedRegistry(on: storage, options: options)
        case .docker: try DockerRegistry(on: storage, options: options)
        }
    }
}
