import OCI

/// Reads the documents beneath the entries of an index, and finds out what they refer to that is not there.
struct LayoutGraph {
    /// The documents that are whole.
    private(set) var documents: [Digest: Document] = [:]
    /// The entries that have a name, each once.
    private(set) var images: [LayoutImage] = []

    private let file: OpenFile
    private let ranges: [Digest: Range<Int64>]
    private let partLimit: Int
    private var partCount = 0
    private var tops: [Descriptor] = []
    private var digestByName: [String: Digest] = [:]
    private var unreadable: Set<Digest> = []
    private var found: [LayoutError.Code] = []
    private var foundBefore: Set<LayoutError.Code> = []

    init(file: OpenFile, ranges: [Digest: Range<Int64>], partLimit: Int) {
        self.file = file
        self.ranges = ranges
        self.partLimit = partLimit
    }

    /// Reads everything beneath an entry of the index.
    ///
    /// - Throws: ``LayoutError`` when the file cannot be read, or with `tooManyParts`; what is damaged is a problem, no
    ///   error.
    mutating func add(_ top: Descriptor) throws(LayoutError) {
        noteName(of: top)
        tops.append(top)
        var seen: Set<Digest> = [top.digest]
        var pending = [(descriptor: top, level: 1)]
        note(presenceOf: top)
        var next = 0
        while next < pending.count {
            let (descriptor, level) = pending[next]
            next += 1
            guard let document = try document(descriptor) else { continue }
            partCount += 1 + document.blobs.count + document.children.count
            guard partCount <= partLimit else { throw file.error(.tooManyParts(limit: partLimit)) }
            for blob in document.blobs { note(presenceOf: blob) }
            guard case .index(let index) = document.content else { continue }
            guard level <= ImageIndex.nestingLimit else {
                note(.invalidDocument(descriptor.digest, DocumentError(.nestedTooDeep)))
                continue
            }
            for child in index.manifests {
                note(presenceOf: child)
                if seen.insert(child.digest).inserted { pending.append((child, level + 1)) }
            }
            // The top itself is none of its children.
            guard seen.count <= ImageIndex.childLimit + 1 else {
                return note(.tooManyDocuments(top.digest, limit: ImageIndex.childLimit))
            }
        }
    }

    /// What was found, each with the images that need it.
    ///
    /// - Throws: ``LayoutError`` with `tooManyParts`.
    func problems() throws(LayoutError) -> [LayoutError] {
        let damaged = Set(found.compactMap(\.damagedDigest))
        let users = try LayoutUsers(of: damaged, tops: tops, documents: documents, in: file, partLimit: partLimit)
        return found.map { code in
            let images = code.damagedDigest.map(users.names) ?? []
            return LayoutError(code, .reading, path: file.path, images: images)
        }
    }

    private mutating func noteName(of top: Descriptor) {
        guard let name = top.imageName else { return }
        let known = digestByName.updateValue(top.digest, forKey: name)
        if known == nil {
            images.append(LayoutImage(name: name, descriptor: top))
        } else if let known, known != top.digest {
            note(.conflictingNames(name, known, top.digest))
        }
    }

    private mutating func note(_ code: LayoutError.Code) {
        if foundBefore.insert(code).inserted { found.append(code) }
    }

    private mutating func note(presenceOf blob: Descriptor) {
        guard let range = ranges[blob.digest] else { return note(.missing(blob.digest)) }
        let size = Int64(range.count)
        if size != blob.size { note(.wrongSize(blob.digest, expected: blob.size, actual: size)) }
    }

    /// Reads a document; nil where it is missing or damaged, which is noted.
    private mutating func document(_ descriptor: Descriptor) throws(LayoutError) -> Document? {
        let digest = descriptor.digest
        if let known = documents[digest] { return known }
        guard !unreadable.contains(digest), let range = ranges[digest] else { return nil }
        guard range.count <= Document.byteLimit else {
            return reject(digest, .invalidDocument(digest, DocumentError(.tooLarge(byteCount: range.count))))
        }
        let bytes = try file.bytes(in: range)
        do throws(DocumentError) {
            let document = try Document(
                bytes: bytes,
                declaredType: descriptor.mediaType,
                algorithm: digest.algorithm
            )
            let actual = document.descriptor.digest
            guard actual == digest else { return reject(digest, .wrongDigest(expected: digest, actual: actual)) }
            documents[digest] = document
            return document
        } catch {
            // Damage is the better explanation of bytes that make no sense.
            let actual = try file.digest(of: bytes, digest.algorithm)
            guard actual == digest else { return reject(digest, .wrongDigest(expected: digest, actual: actual)) }
            return reject(digest, .invalidDocument(digest, error))
        }
    }

    private mutating func reject(_ digest: Digest, _ code: LayoutError.Code) -> Document? {
        unreadable.insert(digest)
        note(code)
        return nil
    }
}
