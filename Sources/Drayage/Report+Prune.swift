extension Report {
    /// What a prune has removed.
    public struct Removal: Sendable, Encodable {
        /// Tags.
        public let tagCount: Int
        /// Manifests and indexes.
        public let manifestCount: Int
        /// Blobs: of a storage directory alone.
        public let blobCount: Int
        /// Links from repositories to blobs that nothing of theirs needs: of a storage directory alone.
        public let linkCount: Int
        /// Abandoned uploads: of a storage directory alone.
        public let uploadCount: Int
        /// Repositories of which nothing stays.
        public let repositoryCount: Int
        /// The bytes that came free: of a registry at most, and after its own garbage collection.
        public let freedByteCount: Int64
    }

    /// Describes a plan that is not carried out yet.
    init(pruning plan: PrunePlan) {
        self.init(command: "prune")
        target = plan.target
        self.plan = plan
        failures = plan.problems.map { Failure(subject: plan.target, message: $0, exitCode: .failed) }
        outcome = failures.isEmpty ? .done : .partial
    }

    /// Refuses a plan that lacks what is required, or leaves nothing.
    mutating func refuse(_ options: Pruner.Options) {
        guard let plan else { return }
        var reasons: [Failure] = []
        if !options.allowsMissing {
            reasons += plan.missing.map { image in
                Failure(subject: image.reference, message: image.refusal(in: plan.target), exitCode: .failed)
            }
        }
        if !options.allowsEmpty, plan.leavesNothing {
            let message =
                "nothing that may be touched of \(plan.target) would stay; is all of it mounted? If it is meant, give --allow-empty"
            reasons.append(Failure(subject: plan.target, message: message, exitCode: .failed))
        }
        guard !reasons.isEmpty else { return }
        failures = reasons + failures
        outcome = .failed
    }

    /// Says what was removed, and what could not be.
    mutating func conclude(_ done: PruneOutcome) {
        removed = Removal(
            tagCount: done.tagCount,
            manifestCount: done.manifestCount,
            blobCount: done.blobCount,
            linkCount: done.linkCount,
            uploadCount: done.uploadCount,
            repositoryCount: done.repositoryCount,
            freedByteCount: done.freedByteCount
        )
        failures += done.failures
        guard !done.failures.isEmpty else { return }
        unfinished = done.finished.flatMap { finished in
            plan?.repositories.filter { $0.isChanged && !finished.contains($0.repository) }.map(\.repository)
        }
        outcome = done.tagCount + done.manifestCount + done.blobCount > 0 ? .partial : .failed
    }
}

extension PrunePlan.MissingImage {
    fileprivate func refusal(in target: String) -> String {
        """
        \(reference) is required (\(place)) and is not in \(target), as \(candidates.joined(separator: " or ")); \
        push it first, or give --allow-missing
        """
    }
}
