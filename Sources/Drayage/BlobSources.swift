/// Where the blobs of a run may be had.
struct BlobSources: Sendable {
    /// The most repositories that are remembered for one blob or manifest, each with its mirrors: enough for one to be
    /// broken.
    static let limit = 3

    private var origins: [Digest: [Origin]] = [:]

    /// Collects the repositories of all images.
    init(images: [Resolver.Image], graph: ImageGraph) {
        for image in images {
            for blob in image.tops.flatMap(graph.blobs) {
                let known = origins[blob.digest, default: []]
                if known.count < Self.limit, !known.contains(image.origin) {
                    origins[blob.digest, default: []].append(image.origin)
                }
            }
        }
    }

    /// The places of a blob, the first to be tried first.
    subscript(digest: Digest) -> [Place] { (origins[digest] ?? []).places }
}
