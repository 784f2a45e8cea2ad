import OCI

/// Puts together the images of an archive of `docker save`.
struct DockerImages {
    /// The most layers of an image: Docker itself stops at 127.
    static let layerLimit = 10_000
    /// The most bytes of all configs that are read, and of all that is made.
    static let documentByteLimit = 128 << 20

    let file: OpenFile
    let entries: DockerEntries
    /// What is known of the layers.
    var layers: DockerLayers
    /// What is known of the configs, by where they begin.
    var configs: [Int64: (descriptor: Descriptor, diffIDs: [Digest])] = [:]
    /// What is known of the layers of the oldest archives, by their ids.
    var legacyLayers: [String: LegacyLayer] = [:]

    private(set) var manifests: [Descriptor] = []
    private(set) var blobs: [Digest: Range<Int64>] = [:]
    private(set) var made: [Digest: [UInt8]] = [:]

    private var digestByName: [String: Digest] = [:]
    private var unnamed: Set<Digest> = []
    private var partCount = 0
    private var documentByteCount = 0

    init(file: OpenFile, entries: DockerEntries) {
        self.file = file
        self.entries = entries
        layers = DockerLayers(in: file)
    }

    /// Adds an image.
    ///
    /// - Parameters:
    ///   - config: its config.
    ///   - layers: its layers, base first.
    ///   - tags: its names, in any form that Docker takes.
    ///   - source: the entry that gives them, for errors.
    /// - Throws: ``LayoutError`` with `invalidName` or `conflictingNames`, or when there are too many of whatever it is.
    mutating func add(
        config: Descriptor,
        layers: [Descriptor],
        tags: [String],
        namedBy source: String
    ) throws(LayoutError) {
        let bytes = try deterministicJSON(DockerImageManifest(config: config, layers: layers))
        let digest = try add(made: bytes, for: source)
        let manifest = Descriptor(mediaType: .ociManifest, digest: digest, size: Int64(bytes.count))
        if tags.isEmpty, unnamed.insert(digest).inserted { manifests.append(manifest) }
        for tag in tags {
            let name = try name(tag, source)
            let known = digestByName.updateValue(digest, forKey: name)
            if let known, known != digest { throw file.error(.conflictingNames(name, known, digest), entry: source) }
            if known == nil { manifests.append(LayoutImage(name: name, descriptor: manifest).entry) }
        }
    }

    /// Adds content that is not in the archive.
    mutating func add(made bytes: [UInt8], for entry: String) throws(LayoutError) -> Digest {
        let digest = try file.digest(of: bytes, .sha256)
        guard made[digest] == nil else { return digest }
        try countDocument(bytes.count, for: entry)
        made[digest] = bytes
        return digest
    }

    /// Adds a config or a layer that is in the archive.
    ///
    /// Of the same content in several files the first is taken.
    mutating func add(_ blob: Digest, at range: Range<Int64>) {
        if blobs[blob] == nil { blobs[blob] = range }
    }

    /// Refuses too much of what has to be held in memory.
    mutating func countDocument(_ byteCount: Int, for entry: String) throws(LayoutError) {
        documentByteCount += byteCount
        guard documentByteCount <= Self.documentByteLimit else {
            throw file.error(.tooManyDocumentBytes(limit: Self.documentByteLimit), entry: entry)
        }
    }

    /// Refuses too many layers, of an image and of all of them.
    mutating func countLayers(_ count: Int, for entry: String) throws(LayoutError) {
        guard count <= Self.layerLimit else { throw file.error(.tooManyLayers(limit: Self.layerLimit), entry: entry) }
        partCount += count + 1
        guard partCount <= LayoutReader.partLimit else {
            throw file.error(.tooManyParts(limit: LayoutReader.partLimit), entry: entry)
        }
    }

    /// The full name that a tag means.
    private func name(_ tag: String, _ source: String) throws(LayoutError) -> String {
        let reference: Reference
        do {
            reference = try Reference(parsing: tag)
        } catch {
            throw file.error(.invalidName(error), entry: source)
        }
        // The digest of a manifest that the archive does not have.
        guard reference.digest == nil else { throw file.error(.nameWithDigest(tag), entry: source) }
        return reference.withDefaultTag.bundleName
    }
}

/// The manifest that an image of an archive gets.
///
/// Spec: image "OCI Image Manifest Specification".
private struct DockerImageManifest: Encodable {
    let schemaVersion = 2
    let mediaType = MediaType.ociManifest
    let config: Descriptor
    let layers: [Descriptor]
}
