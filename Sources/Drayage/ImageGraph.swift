import ImageLayout

/// The manifests and indexes of a set of images, and what is beneath each.
struct ImageGraph: Sendable {
    /// The documents by digest.
    ///
    /// Some may be missing in a damaged bundle.
    var documents: [Digest: Document] = [:]
    /// Which of the layers that are fetched from their makers count as blobs.
    var foreignLayers = ForeignLayers.none

    /// The blobs directly beneath a document.
    func blobs(of document: Document) -> [Descriptor] {
        document.blobs + document.foreignLayers.filter(foreignLayers.contains)
    }

    /// A document and all that are beneath it, each once, parents first.
    func documents(from top: Digest) -> [Document] {
        var result: [Document] = []
        var seen: Set<Digest> = [top]
        var next = [top]
        while let digest = next.popLast() {
            guard let document = documents[digest] else { continue }
            result.append(document)
            for child in document.children.reversed() where seen.insert(child.digest).inserted {
                next.append(child.digest)
            }
        }
        return result
    }

    /// The blobs beneath a document, each once.
    func blobs(from top: Digest) -> [Descriptor] {
        var seen: Set<Digest> = []
        return documents(from: top).flatMap(blobs).filter { seen.insert($0.digest).inserted }
    }

    /// The bytes of all documents and blobs from a document on, each counted once.
    ///
    /// The sizes are what manifests claim: a sum beyond the range of the type is its largest number.
    func byteCount(from top: Digest) -> Int64 {
        let documents = documents(from: top)
        var seen: Set<Digest> = []
        var total: Int64 = 0
        // The documents first: their sizes are known, and one may be named as a blob with another.
        for parts in [documents.map(\.descriptor)] + documents.map(blobs) {
            for part in parts where seen.insert(part.digest).inserted {
                let (sum, overflow) = total.addingReportingOverflow(part.size)
                total = overflow ? .max : sum
            }
        }
        return total
    }

    /// The platforms of what is there of an index, attestations left out; nil for a single manifest, whose config says it.
    func platforms(of top: Digest) -> [Platform]? {
        guard let document = documents[top], case .index = document.content else { return nil }
        return documents(from: top).flatMap(\.children)
            .filter { !$0.isAttestation && documents[$0.digest] != nil }.compactMap(\.platform)
    }

    /// How many levels of documents are beneath a document: 0 where there is none.
    ///
    /// Children are put before their parents, so each level needs the ones below it to be done.
    func heights() -> [Digest: Int] {
        var heights: [Digest: Int] = [:]
        func height(of digest: Digest) -> Int {
            if let known = heights[digest] { return known }
            let children = documents[digest]?.children ?? []
            let height = children.reduce(0) { max($0, documents[$1.digest] == nil ? 0 : 1 + height(of: $1.digest)) }
            heights[digest] = height
            return height
        }
        for digest in documents.keys { _ = height(of: digest) }
        return heights
    }
}

extension ImageGraph {
    /// The manifests and indexes of a bundle.
    init(of reader: LayoutReader) {
        self.init(documents: reader.documents, foreignLayers: .some(reader.foreignLayers))
    }
}
