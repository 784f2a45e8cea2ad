import OCI

/// The documents of a layout that are what they should be, read on all processors.
///
/// What is not among them, because it is damaged or nobody knows of it yet, is for ``LayoutGraph`` to look at.
struct ReadDocuments: Sendable {
    /// By digest, each with the type that it was read as: the first that a parent gives it.
    private var documents: [Digest: (type: MediaType, document: Document)] = [:]

    /// Reads what is beneath some entries of an index, one level after the other.
    init(beneath tops: [Descriptor], of places: LayoutBlobs) {
        var known: Set<Digest> = []
        var level = tops
        for _ in 0..<ImageIndex.nestingLimit where !level.isEmpty {
            let next = level.filter { descriptor in
                guard let size = places.byteCount(of: descriptor.digest), size <= Document.byteLimit else {
                    return false
                }
                return known.insert(descriptor.digest).inserted
            }
            let read = next.concurrentMap { Self.document($0, of: places) }
            for (descriptor, document) in zip(next, read) {
                documents[descriptor.digest] = document.map { (descriptor.mediaType, $0) }
            }
            level = read.flatMap { $0?.children ?? [] }
        }
    }

    /// Who looks at it later finds out what is wrong with it.
    private static func document(_ descriptor: Descriptor, of places: LayoutBlobs) -> Document? {
        let digest = descriptor.digest
        guard let bytes = try? places.bytes(of: digest),
            let document = try? Document(
                bytes: bytes,
                declaredType: descriptor.mediaType,
                algorithm: digest.algorithm
            )
        else { return nil }
        return document.descriptor.digest == digest ? document : nil
    }

    /// A document, read as what a parent says that it is; nil where it was not.
    subscript(descriptor: Descriptor) -> Document? {
        guard let (type, document) = documents[descriptor.digest], type == descriptor.mediaType else { return nil }
        return document
    }
}
