import FoundationEssentials
import RegistryClient
import Synchronization

/// Carries out a plan through the API of a registry.
///
/// Whoever calls it has compared the plan with the registry just before.
struct RegistryRemoval: Sendable {
    let client: RegistryClient
    /// The registry's host, with its port.
    let registry: String
    /// How many repositories are worked on at once.
    let parallelism: Int
    /// Hears of each tag and each manifest that is gone.
    let progress: ProgressHandler
    /// What stands against a repository's part of the plan, as the repository is now.
    var conflicts: @Sendable (PrunePlan.Repository) async throws -> [String] = { _ in [] }

    /// Removes what the plan says, repository by repository.
    ///
    /// A failure ends the work on its repository; one that concerns the whole registry ends all. Cancelled between two
    /// requests, it leaves at most a tag that points at an empty index, which the next prune removes.
    ///
    /// - Returns: what was removed, and what failed.
    /// - Throws: before anything is removed ``DrayageError`` where the registry does not delete, and `RegistryError` where
    ///   we may not; after that `CancellationError` alone.
    func run(_ plan: PrunePlan) async throws -> PruneOutcome {
        let planned = plan.repositories.filter { !$0.removedTags.isEmpty || !$0.removedManifests.isEmpty }
        guard let first = planned.first else { return PruneOutcome() }
        try await checkDeletion(in: try repository(first.repository))
        let outcome = Mutex(PruneOutcome(finished: []))
        let tagDeletion = TagDeletion()
        do {
            try await forEachConcurrently(planned, limit: parallelism) { planned in
                // What goes before it may have taken an hour.
                let conflicts: [String]
                do {
                    conflicts = try await self.conflicts(planned)
                } catch let error as RegistryError {
                    let name = planned.repository.description
                    outcome.withLock { $0.failures.append(Report.Failure(subject: name, error: error)) }
                    throw error
                }
                guard conflicts.isEmpty else {
                    outcome.withLock { $0.note(conflicts, in: planned.repository) }
                    return []
                }
                let removal = RepositoryRemoval(
                    client: client,
                    repository: try repository(planned.repository),
                    planned: planned,
                    tagDeletion: tagDeletion,
                    progress: progress
                )
                let (part, end) = await removal.run()
                outcome.withLock { $0.add(part, of: planned.repository, isWhole: end == nil) }
                if let end { throw end }
                return []
            }
        } catch is RegistryError {
            // It is among the failures already.
        }
        return outcome.withLock { $0 }
    }

    private func repository(_ path: RepositoryPath) throws -> Repository {
        try Repository(registry: registry, path: path.description)
    }

    /// Finds out whether the registry deletes at all, by a digest that it cannot have.
    private func checkDeletion(in repository: Repository) async throws {
        let digest = try Digest.of(Array(UUID().uuidString.utf8))
        guard try await client.deleteManifest(.digest(digest), in: repository) == .unsupported else { return }
        throw DrayageError(
            .other,
            "\(registry) does not delete manifests, so nothing was removed; docker-registry deletes only with "
                + "storage.delete.enabled: true in its configuration or REGISTRY_STORAGE_DELETE_ENABLED=true in its "
                + "environment, and never while it is read-only; the other way is to stop it and to prune its storage "
                + "directory"
        )
    }
}

/// Whether a registry deletes by tag, as far as is known.
final class TagDeletion: Sendable {
    private let state = Mutex(true)

    /// Whether it is worth trying.
    var isSupported: Bool { state.withLock { $0 } }

    /// Notes that the registry does not.
    func noteUnsupported() { state.withLock { $0 = false } }
}

extension PruneOutcome {
    /// Adds what came of a repository.
    fileprivate mutating func add(_ part: PruneOutcome, of repository: RepositoryPath, isWhole: Bool) {
        if isWhole, part.failures.isEmpty { finished?.insert(repository) }
        tagCount += part.tagCount
        manifestCount += part.manifestCount
        repositoryCount += part.repositoryCount
        failures += part.failures
    }
}
