import OCI

/// Which images need some content.
struct LayoutUsers {
    private var namesByDigest: [Digest: [String]] = [:]

    /// Walks from the entries of an index down, once.
    ///
    /// - Parameters:
    ///   - wanted: what is asked for.
    ///   - tops: the entries of the index.
    ///   - documents: what is beneath them, as far as it is known.
    ///   - file: the bundle.
    ///   - partLimit: the most manifests and blobs that are looked at, each counted for each image.
    /// - Throws: ``LayoutError`` with `tooManyParts`.
    init(
        of wanted: Set<Digest>,
        tops: [Descriptor],
        documents: [Digest: Document],
        in file: OpenFile,
        partLimit: Int
    ) throws(LayoutError) {
        guard !wanted.isEmpty else { return }
        var partCount = 0
        for top in tops {
            let name = top.imageName ?? top.digest.description
            var seen: Set<Digest> = [top.digest]
            var pending = [top.digest]
            while let digest = pending.popLast() {
                partCount += 1
                guard partCount <= partLimit else { throw file.error(.tooManyParts(limit: partLimit)) }
                if wanted.contains(digest) { namesByDigest[digest, default: []].append(name) }
                guard let document = documents[digest] else { continue }
                for next in document.children + document.blobs where seen.insert(next.digest).inserted {
                    pending.append(next.digest)
                }
            }
        }
    }

    /// The names of the images that need it, in the order of the index; the digest of one without a name.
    func names(_ digest: Digest) -> [String] { namesByDigest[digest] ?? [] }
}
