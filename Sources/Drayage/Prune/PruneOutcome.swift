/// What a prune has removed, and what it could not.
struct PruneOutcome: Sendable {
    var tagCount = 0
    var manifestCount = 0
    var blobCount = 0
    var repositoryCount = 0
    /// The bytes that came free, or that the registry's own garbage collection can free now.
    var freedByteCount: Int64 = 0
    /// What could not be removed.
    var failures: [Report.Failure] = []
}
