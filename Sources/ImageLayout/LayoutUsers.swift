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
    init(of wanted: Set<Digest>, tops: [Descriptor], documents: [Digest: Document]) {
        guard !wanted.isEmpty else { return }
        for top in tops {
            var seen: Set<Digest> = [top.digest]
            var pending = [top.digest]
            while let digest = pending.popLast() {
                if wanted.contains(digest) { note(top.imageName ?? top.digest.description, for: digest) }
                guard let document = documents[digest] else { continue }
                for next in document.children + document.blobs where seen.insert(next.digest).inserted {
                    pending.append(next.digest)
                }
            }
        }
    }

    /// The names of the images that need it, in the order of the index; the digest of one without a name.
    func names(_ digest: Digest) -> [String] { namesByDigest[digest] ?? [] }

    private mutating func note(_ name: String, for digest: Digest) {
        namesByDigest[digest, default: []].append(name)
    }
}
