import OCI

/// Everything beneath a set of images, each digest once, in the groups in which a bundle holds it.
struct LayoutContents {
    private(set) var documents: [Digest: Document] = [:]
    private var configs: [Digest: Descriptor] = [:]
    private var layers: [Digest: Descriptor] = [:]
    private var sizes: [Digest: Int64] = [:]
    private let foreignLayers: ForeignLayers

    /// Walks from the images, and what refers to them, down.
    ///
    /// - Throws: ``LayoutError`` with `missingDocument` or `conflictingSizes`.
    init(
        images: [LayoutImage],
        referrers: [LayoutReferrer],
        documents known: [Digest: Document],
        foreignLayers: ForeignLayers
    ) throws(LayoutError) {
        self.foreignLayers = foreignLayers
        documents.reserveCapacity(known.count)
        let tops = images.map { ($0.descriptor, $0.name, $0.isSparse) }
        for (top, name, isSparse) in tops + referrers.map({ ($0.descriptor, $0.name, false) }) {
            var pending = [top]
            while let descriptor = pending.popLast() {
                // What is left out of a sparse image is not there.
                guard known[descriptor.digest] != nil || !isSparse || descriptor == top else { continue }
                try note(descriptor)
                guard documents[descriptor.digest] == nil else { continue }
                let document = try Self.document(descriptor.digest, of: name, known)
                try note(document.descriptor)
                documents[descriptor.digest] = document
                pending += document.children.reversed()
                try noteBlobs(of: document)
            }
        }
        for image in images {
            guard let original = image.subset?.original else { continue }
            // A record of what it was, of which the parts are not needed.
            documents[original] = try Self.document(original, of: image.name, known)
        }
    }

    private static func document(
        _ digest: Digest,
        of image: String,
        _ known: [Digest: Document]
    ) throws(LayoutError) -> Document {
        guard let document = known[digest] else {
            throw LayoutError(.missingDocument(digest, image: image), .planning, path: nil)
        }
        return document
    }

    /// The documents, sorted by digest.
    var sortedDocuments: [Document] { documents.valuesByKey }

    /// The configs and then the layers, each group sorted by digest.
    ///
    /// What is in a group before is not in one after.
    var sortedBlobs: [Descriptor] {
        let configs = configs.filter { documents[$0.key] == nil }
        let layers = layers.filter { documents[$0.key] == nil && configs[$0.key] == nil }
        return configs.valuesByKey + layers.valuesByKey
    }

    private mutating func noteBlobs(of document: Document) throws(LayoutError) {
        guard case .manifest(let manifest) = document.content else { return }
        for blob in document.blobs + manifest.foreignLayers.filter(foreignLayers.contains) { try note(blob) }
        configs[manifest.config.digest] = configs[manifest.config.digest] ?? manifest.config
        for layer in manifest.layers where !layer.isForeignLayer || foreignLayers.contains(layer) {
            layers[layer.digest] = layers[layer.digest] ?? layer
        }
    }

    private mutating func note(_ descriptor: Descriptor) throws(LayoutError) {
        let known = sizes.updateValue(descriptor.size, forKey: descriptor.digest) ?? descriptor.size
        guard known == descriptor.size else {
            throw LayoutError(.conflictingSizes(descriptor.digest, known, descriptor.size), .planning, path: nil)
        }
    }
}

extension Dictionary where Key: Comparable {
    /// The values in the order of their keys, which are what is moved about: the values are larger.
    fileprivate var valuesByKey: [Value] { keys.sorted().compactMap { self[$0] } }
}
