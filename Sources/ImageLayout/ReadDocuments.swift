import OCI

/// The documents of a layout that are what they should be, read on all processors.
///
/// What is not among them, because it is damaged, nobody knows of it yet or it is too much, is for ``LayoutGraph`` to read.
struct ReadDocuments: Sendable {
    /// By digest, each with the type that it was read as: the first that a parent gives it.
    private var documents: [Digest: (type: MediaType, document: Document)] = [:]
    /// How many are read before what they hold is counted.
    private static let sliceLength = 1024

    /// Reads what is beneath some entries of an index, one level after the other.
    ///
    /// - Parameters:
    ///   - tops: the entries.
    ///   - places: where the documents are.
    ///   - partLimit: the most manifests and blobs beneath the entries: of more the walk reads no more than it needs to
    ///     refuse them.
    init(beneath tops: [Descriptor], of places: LayoutBlobs, partLimit: Int) {
        var known: Set<Digest> = []
        var partCount = 0
        func isToBeRead(_ descriptor: Descriptor) -> Bool {
            guard let size = places.byteCount(of: descriptor.digest), size <= Document.byteLimit else { return false }
            return known.insert(descriptor.digest).inserted
        }
        var level = tops.filter(isToBeRead)
        documents.reserveCapacity(level.count)
        for _ in 0..<ImageIndex.nestingLimit where !level.isEmpty {
            var next: [Descriptor] = []
            for start in stride(from: 0, to: level.count, by: Self.sliceLength) where partCount <= partLimit {
                let slice = Array(level[start...].prefix(Self.sliceLength))
                for (descriptor, document) in zip(slice, slice.concurrentMap { Self.document($0, of: places) }) {
                    guard let document else { continue }
                    documents[descriptor.digest] = (descriptor.mediaType, document)
                    partCount += 1 + document.partCount
                    next += document.children.filter(isToBeRead)
                }
            }
            level = next
        }
    }

    /// Reads one; nil where that fails, which the walk meets again and tells.
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
