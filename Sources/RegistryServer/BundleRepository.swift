import ImageLayout
import OCI

/// What one repository has, of one bundle or of several: digests only, and for each the bundle to read it from.
struct BundleRepository: Sendable {
    /// What each tag points at.
    private(set) var tags: [Tag: BundleError.TaggedImage] = [:]
    /// The manifests and indexes, each with the number of its bundle.
    private(set) var documents: [Digest: Int] = [:]
    /// The configs and layers, each with the number of its bundle.
    private(set) var blobs: [Digest: Int] = [:]

    /// Points a tag at an image.
    ///
    /// - Returns: what the tag points at instead, where that is something else.
    mutating func addTag(_ tag: Tag, _ image: BundleError.TaggedImage) -> BundleError.TaggedImage? {
        guard let known = tags[tag] else {
            tags[tag] = image
            return nil
        }
        return known.digest == image.digest ? nil : known
    }

    /// Adds a document with everything beneath it.
    ///
    /// - Returns: the documents that were not here yet.
    @discardableResult
    mutating func add(_ top: Digest, from reader: LayoutReader, number: Int) -> [Digest] {
        var added: [Digest] = []
        var pending = [top]
        while let digest = pending.popLast() {
            guard documents[digest] == nil, let document = reader.documents[digest] else { continue }
            documents[digest] = number
            added.append(digest)
            let foreign = document.foreignLayers.filter { reader.byteCount(of: $0.digest) != nil }
            for blob in document.blobs + foreign where blobs[blob.digest] == nil { blobs[blob.digest] = number }
            pending += document.children.map(\.digest)
        }
        return added
    }

    /// Adds what another repository has.
    ///
    /// - Returns: the first of its tags that points at something else here, which it goes on doing.
    mutating func merge(_ other: BundleRepository) -> Tag? {
        documents.merge(other.documents) { own, _ in own }
        blobs.merge(other.blobs) { own, _ in own }
        let conflict = other.tags.filter { tag, image in tags[tag].map { $0.digest != image.digest } ?? false }
        tags.merge(other.tags) { own, _ in own }
        return conflict.keys.min()
    }
}
