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
            let name = top.imageName ?? LayoutReferrer(top, document: nil)?.name ?? top.digest.description
            let record = top.imageName == nil ? nil : LayoutSubset(top.annotations)?.original
            var seen: Set<Digest> = [top.digest]
            var pending = [top.digest]
            if let record, seen.insert(record).inserted, wanted.contains(record) {
                namesByDigest[record, default: []].append(name)
            }
            while let digest = pending.popLast() {
                partCount += 1
                guard partCount <= partLimit else { throw file.error(.tooManyParts(limit: partLimit)) }
                if wanted.contains(digest) { namesByDigest[digest, default: []].append(name) }
                guard let document = documents[digest] else { continue }
                for next in document.children + document.blobs + document.foreignLayers
                where seen.insert(next.digest).inserted {
                    pending.append(next.digest)
                }
            }
        }
    }

    /// The names of the images that need it, in the order of the index; of one without a name its repository and digest,
    /// as far as they are known.
    func names(_ digest: Digest) -> [String] { namesByDigest[digest] ?? [] }
}
