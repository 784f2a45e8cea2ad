import RegistryDirectory
import Synchronization

extension PrunedStorage {
    func remove(_ plan: PrunePlan) async throws -> PruneOutcome {
        let tidied = tidied.withLock { $0 }
        let removal = DirectoryRemoval(
            repositories: plan.repositories.filter { $0.isChanged || tidied.contains($0.repository) }.map {
                repository in
                DirectoryRemoval.Repository(
                    repository.repository,
                    tags: repository.removedTags.map(\.tag),
                    manifests: repository.removedManifests.map(\.digest),
                    layers: repository.layers,
                    isWhole: repository.isRemoved
                )
            },
            blobs: plan.blobs.map(\.digest)
        )
        let layerCount = plan.repositories.reduce(0) { $0 + $1.layers.count }
        progress(.removing(count: plan.removalCount + layerCount))
        let isCancelled = Atomic(false)
        let done = try await withTaskCancellationHandler {
            try await blocking { [directory, progress] in
                try directory.remove(removal) {
                    progress(.removed)
                    return isCancelled.load(ordering: .relaxed)
                }
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
        // A failure stops it, too.
        guard !done.wasStopped || !done.failures.isEmpty else { throw CancellationError() }
        return outcome(of: done)
    }

    private func outcome(of done: RemovalOutcome) -> PruneOutcome {
        var outcome = PruneOutcome()
        outcome.tagCount = done.tagCount
        outcome.manifestCount = done.manifestCount
        outcome.blobCount = done.blobCount
        outcome.linkCount = done.layerCount
        outcome.uploadCount = done.uploadCount
        outcome.repositoryCount = done.repositoryCount
        outcome.freedByteCount = done.freedByteCount
        outcome.failures = done.failures.map {
            Report.Failure(subject: name, message: "removing \($0)", exitCode: .failed)
        }
        if done.hasKeptBlobs {
            let message = "what could not be removed may need blobs, so no blob was removed; the same command goes on"
            outcome.failures.append(Report.Failure(subject: name, message: message, exitCode: .failed))
        }
        return outcome
    }
}
