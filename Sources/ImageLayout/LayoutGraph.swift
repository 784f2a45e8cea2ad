import OCI

/// Reads the documents beneath the entries of an index, and finds out what they refer to that is not there.
struct LayoutGraph {
    /// The documents that are whole.
    private(set) var documents: [Digest: Document] = [:]
    /// The entries that have a name, each once.
    private(set) var images: [LayoutImage] = []
    /// The platforms that indexes of other programs name and that are not there, by the image's name.
    private(set) var missingPlatforms: [String: [Platform]] = [:]

    private let file: OpenFile
    private let places: LayoutBlobs
    private let read: ReadDocuments
    private let partLimit: Int
    private var partCount = 0
    private var tops: [Descriptor] = []
    private var digestByName: [String: Digest] = [:]
    private var unreadable: Set<Digest> = []
    private var found: [LayoutError.Code] = []
    private var foundBefore: Set<LayoutError.Code> = []

    init(file: OpenFile, places: LayoutBlobs, read: ReadDocuments, partLimit: Int) {
        self.file = file
        self.places = places
        self.read = read
        self.partLimit = partLimit
    }

    /// Reads everything beneath an entry of the index.
    ///
    /// - Throws: ``LayoutError`` when the file cannot be read, or with `tooManyParts`; what is damaged is a problem, no
    ///   error.
    mutating func add(_ top: Descriptor) throws(LayoutError) {
        let place = noteName(of: top)
        tops.append(top)
        let subset = top.imageName == nil ? nil : LayoutSubset(top.annotations)
        if let original = subset?.original { try addRecord(original) }
        var seen: Set<Digest> = [top.digest]
        var pending = [(descriptor: top, level: 1)]
        var others = OthersSubset(isPossible: subset == nil && !top.isNamedByUs)
        note(presenceOf: top)
        var next = 0
        while next < pending.count {
            let (descriptor, level) = pending[next]
            next += 1
            guard let document = try document(descriptor) else { continue }
            partCount += 1 + document.partCount
            guard partCount <= partLimit else { throw file.error(.tooManyParts(limit: partLimit)) }
            for blob in document.blobs { note(presenceOf: blob) }
            for layer in document.foreignLayers where places.byteCount(of: layer.digest) != nil {
                note(presenceOf: layer)
            }
            guard case .index(let index) = document.content else { continue }
            guard level <= ImageIndex.nestingLimit else {
                note(.invalidDocument(descriptor.digest, DocumentError(.nestedTooDeep)))
                continue
            }
            for child in index.manifests {
                let isThere = places.byteCount(of: child.digest) != nil
                others.note(child, isThere: isThere)
                guard isThere || !(others.isPossible || subset?.leavesOut(child) == true) else { continue }
                note(presenceOf: child)
                if seen.insert(child.digest).inserted { pending.append((child, level + 1)) }
            }
            // The top itself is none of its children.
            guard seen.count <= ImageIndex.childLimit + 1 else {
                return note(.tooManyDocuments(top.digest, limit: ImageIndex.childLimit))
            }
        }
        if let subset = others.subset, let place {
            images[place] = images[place].with(subset)
            missingPlatforms[images[place].name] = others.absent.filter { !$0.isAttestation }.compactMap(\.platform)
        }
        if others.subset == nil { for child in others.absent { note(presenceOf: child) } }
    }

    /// Reads the index that an image had before platforms were left out; what is beneath it need not be there.
    private mutating func addRecord(_ digest: Digest) throws(LayoutError) {
        guard let size = places.byteCount(of: digest) else { return note(.missing(digest)) }
        _ = try document(Descriptor(mediaType: .ociIndex, digest: digest, size: size), isDeclared: false)
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

    /// Takes an image in.
    ///
    /// - Returns: its place among the images; nil where it has no name, or one that is there already.
    private mutating func noteName(of top: Descriptor) -> Int? {
        guard let name = top.imageName else { return nil }
        let known = digestByName.updateValue(top.digest, forKey: name)
        if known == nil {
            images.append(LayoutImage(name: name, descriptor: top, subset: LayoutSubset(top.annotations)))
        } else if let known, known != top.digest {
            note(.conflictingNames(name, known, top.digest))
        }
        return known == nil ? images.count - 1 : nil
    }

    private mutating func note(_ code: LayoutError.Code) {
        if foundBefore.insert(code).inserted { found.append(code) }
    }

    private mutating func note(presenceOf blob: Descriptor) {
        guard let size = places.byteCount(of: blob.digest) else { return note(.missing(blob.digest)) }
        if size != blob.size { note(.wrongSize(blob.digest, expected: blob.size, actual: size)) }
    }

    /// Reads a document; nil where it is missing or damaged, which is noted.
    ///
    /// - Parameters:
    ///   - descriptor: its digest and type.
    ///   - isDeclared: whether the type is what somebody says of it.
    /// - Returns: the document; nil where it is missing or damaged.
    /// - Throws: ``LayoutError`` where the file cannot be read.
    private mutating func document(
        _ descriptor: Descriptor,
        isDeclared: Bool = true
    ) throws(LayoutError) -> Document? {
        let digest = descriptor.digest
        if let known = documents[digest] { return known }
        guard !unreadable.contains(digest), let size = places.byteCount(of: digest) else { return nil }
        if isDeclared, let document = read[descriptor] {
            documents[digest] = document
            return document
        }
        guard size <= Document.byteLimit else {
            return reject(digest, .invalidDocument(digest, DocumentError(.tooLarge(byteCount: Int(size)))))
        }
        guard let bytes = try places.bytes(of: digest) else { return nil }
        do throws(DocumentError) {
            let document = try Document(
                bytes: bytes,
                declaredType: isDeclared ? descriptor.mediaType : nil,
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

/// What is there of an image in a layout of another program: some write what they have of an index, and say of nothing
/// that it was left out.
///
/// Spec: image "OCI Image Layout Specification": not every blob needs to be there.
private struct OthersSubset {
    let isPossible: Bool
    private var present: [Platform] = []
    private(set) var absent: [Descriptor] = []

    init(isPossible: Bool) { self.isPossible = isPossible }

    mutating func note(_ child: Descriptor, isThere: Bool) {
        guard isPossible else { return }
        if !isThere {
            absent.append(child)
        } else if let platform = child.platform, !child.isAttestation {
            present.append(platform)
        }
    }

    /// What is there, where that is a part and it is known of which platforms.
    var subset: LayoutSubset? {
        guard !absent.isEmpty else { return nil }
        let platforms = present.compactMap { PlatformSelector(parsing: $0.description) }
        // What is of a platform that is there has no reason to be missing, and a bundle has no way to say it.
        let isClear = !absent.contains { child in
            guard let platform = child.platform, !child.isAttestation else { return false }
            return platforms.contains { $0.matches(platform) }
        }
        return platforms.isEmpty || !isClear ? nil : LayoutSubset(platforms: platforms)
    }
}

extension LayoutImage {
    /// The same image, of which this is there.
    fileprivate func with(_ subset: LayoutSubset) -> LayoutImage {
        LayoutImage(name: name, descriptor: descriptor, subset: subset)
    }
}

extension Descriptor {
    /// Whether an entry has its full name in both places, as a bundle has.
    fileprivate var isNamedByUs: Bool {
        let name = annotations?[LayoutAnnotation.containerdName]
        return name != nil && name == annotations?[LayoutAnnotation.referenceName]
    }
}
