/// What a prune has removed, and what it could not.
struct PruneOutcome: Sendable {
    var tagCount = 0
    var manifestCount = 0
    var blobCount = 0
    /// Links from repositories to blobs, of a storage directory.
    var linkCount = 0
    /// Abandoned uploads, of a storage directory.
    var uploadCount = 0
    var repositoryCount = 0
    /// The bytes that came free, or that the registry's own garbage collection can free now.
    var freedByteCount: Int64 = 0
    /// The repositories of which everything was removed that was to be; nil for a storage directory.
    var finished: Set<RepositoryPath>?
    /// What could not be removed.
    var failures: [Report.Failure] = []

    /// Notes why a repository was left as it is.
    mutating func note(_ conflicts: [String], in repository: RepositoryPath) {
        let reason = "nothing of \(repository) was removed, as it has changed since the plan was made"
        failures += conflicts.sorted().map { conflict in
            Report.Failure(subject: repository.description, message: "\(reason): \(conflict)", exitCode: .failed)
        }
    }
}
