/// Where the blobs of a run may be had.
struct BlobSources: Sendable {
    /// The most repositories that are remembered for one blob or manifest: enough for one to be broken.
    static let limit = 3

    private var repositories: [Digest: [Repository]] = [:]

    /// Collects the repositories of all images.
    init(images: [Resolver.Image], graph: ImageGraph) {
        for image in images {
            let repository = image.reference.repository
            for blob in graph.blobs(from: image.top.digest) {
                let known = repositories[blob.digest, default: []]
                if known.count < Self.limit, !known.contains(repository) {
                    repositories[blob.digest, default: []].append(repository)
                }
            }
        }
    }

    /// The repositories of a blob, the first to be tried first.
    subscript(digest: Digest) -> [Repository] { repositories[digest] ?? [] }
}
