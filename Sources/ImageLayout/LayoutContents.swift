import OCI

/// Everything beneath a set of images, each digest once, in the groups in which a bundle holds it.
struct LayoutContents {
    private(set) var documents: [Digest: Document] = [:]
    private var configs: [Digest: Descriptor] = [:]
    private var layers: [Digest: Descriptor] = [:]
    private var sizes: [Digest: Int64] = [:]

    /// Walks from the images down.
    ///
    /// - Throws: ``LayoutError`` with `missingDocument` or `conflictingSizes`.
    init(images: [LayoutImage], documents known: [Digest: Document]) throws(LayoutError) {
        for image in images {
            var pending = [image.descriptor]
            while let descriptor = pending.popLast() {
                try note(descriptor)
                guard documents[descriptor.digest] == nil else { continue }
                guard let document = known[descriptor.digest] else {
                    throw LayoutError(.missingDocument(descriptor.digest, image: image.name), .planning, path: nil)
                }
                try note(document.descriptor)
                documents[descriptor.digest] = document
                pending += document.children.reversed()
                try noteBlobs(of: document)
            }
        }
    }

    /// The documents, sorted by digest.
    var sortedDocuments: [Document] {
        documents.values.sorted { $0.descriptor.digest < $1.descriptor.digest }
    }

    /// The configs and then the layers, each group sorted by digest.
    ///
    /// What is in a group before is not in one after.
    var sortedBlobs: [Descriptor] {
        let configs = configs.filter { documents[$0.key] == nil }
        let layers = layers.filter { documents[$0.key] == nil && configs[$0.key] == nil }
        return [configs, layers].flatMap { $0.values.sorted { $0.digest < $1.digest } }
    }

    private mutating func noteBlobs(of document: Document) throws(LayoutError) {
        guard case .manifest(let manifest) = document.content else { return }
        for blob in document.blobs { try note(blob) }
        configs[manifest.config.digest] = configs[manifest.config.digest] ?? manifest.config
        for layer in manifest.layers where !layer.isForeignLayer {
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
