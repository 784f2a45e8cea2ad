import Archive
package import OCI

/// Where everything in a bundle lies, before a byte of it has been fetched.
///
/// It is a value of its inputs: the same images give the same plan, in whatever order they come.
package struct LayoutPlan: Equatable, Sendable {
    /// A blob that is to be fetched, and its place.
    package struct Blob: Hashable, Sendable {
        /// What the first manifest that needs it says of it.
        package let descriptor: Descriptor
        /// Where its tar header begins, in bytes from the beginning of the file.
        package let headerOffset: Int64
        /// Where its data begins.
        package let offset: Int64
    }

    /// An entry whose bytes are known already.
    struct KnownEntry: Equatable, Sendable {
        let path: String
        let bytes: [UInt8]
        let headerOffset: Int64
        let offset: Int64
    }

    /// The size of the whole file.
    package let byteCount: Int64
    /// The images, sorted by name, each once.
    package let images: [LayoutImage]
    /// What refers to them, each once.
    package let referrers: [LayoutReferrer]
    /// The layers in it that are fetched from their makers.
    package let foreignLayers: ForeignLayers
    /// The configs and then the layers that are to be fetched, in the order of the file.
    package let blobs: [Blob]
    /// What comes before them: the layout's own files, then the manifests and indexes.
    let known: [KnownEntry]
    /// The manifests and indexes among them, in the order of the file.
    package let documents: [Document]

    /// Plans the bundle of some images.
    ///
    /// - Parameters:
    ///   - images: the images; one that is named twice is folded.
    ///   - referrers: what refers to them; of what is there twice one is folded.
    ///   - documents: every manifest and index beneath both; others are ignored.
    ///   - foreignLayers: the layers in it that are fetched from their makers.
    /// - Throws: ``LayoutError`` when a document is missing, a name has two images, a digest two sizes, or all together
    ///   is too large for a file.
    package init(
        images: [LayoutImage],
        referrers: [LayoutReferrer] = [],
        documents: [Digest: Document],
        foreignLayers: ForeignLayers = .none
    ) throws(LayoutError) {
        let (images, referrers) = (try Self.folded(images), referrers.folded)
        let files = Eager {
            Self.files(of: images, referrers: referrers, documents: documents, foreignLayers: foreignLayers)
        }
        let contents = try LayoutContents(
            images: images,
            referrers: referrers,
            documents: documents,
            foreignLayers: foreignLayers
        )
        var end = EndOfFile()
        var known: [KnownEntry] = []
        let (sortedDocuments, sortedBlobs) = (contents.sortedDocuments, contents.sortedBlobs)
        let documentFiles = sortedDocuments.map { (LayoutPath.blob($0.descriptor.digest), $0.bytes) }
        for (path, bytes) in try files.value.get() + documentFiles {
            let place = try end.append(path: path, byteCount: Int64(bytes.count))
            known.append(KnownEntry(path: path, bytes: bytes, headerOffset: place.header, offset: place.data))
        }
        var blobs: [Blob] = []
        for descriptor in sortedBlobs {
            let place = try end.append(path: LayoutPath.blob(descriptor.digest), byteCount: descriptor.size)
            blobs.append(Blob(descriptor: descriptor, headerOffset: place.header, offset: place.data))
        }
        self.images = images
        self.referrers = referrers
        self.foreignLayers = foreignLayers
        self.known = known
        self.documents = sortedDocuments
        self.blobs = blobs
        byteCount = try end.advance(by: TarHeader.endByteCount)
    }

    /// The index, as it is in the file.
    var indexBytes: [UInt8] { known.first { $0.path == LayoutPath.index }?.bytes ?? [] }

    /// The layout's own files, in the order of the file.
    private static func files(
        of images: [LayoutImage],
        referrers: [LayoutReferrer],
        documents: [Digest: Document],
        foreignLayers: ForeignLayers
    ) -> Result<[(path: String, bytes: [UInt8])], LayoutError> {
        Result { () throws(LayoutError) in
            var files = [(path: LayoutPath.layout, bytes: try deterministicJSON(LayoutMarker.current))]
            files.append((LayoutPath.index, try LayoutIndex(images: images, referrers: referrers).bytes))
            // Without an image for Docker the file is left out: given an empty list, docker load does nothing and succeeds.
            let dockerImages = images.compactMap {
                DockerImage($0, documents: documents, foreignLayers: foreignLayers)
            }
            guard !dockerImages.isEmpty else { return files }
            var list = JSONText()
            list.append("[")
            list.append(dockerImages) { $1.append(to: &$0) }
            list.append("]")
            files.append((LayoutPath.dockerManifest, list.bytes))
            return files
        }
    }

    /// Whether both are the same file: the known entries hold all that the names and documents say.
    package static func == (first: LayoutPlan, second: LayoutPlan) -> Bool {
        first.byteCount == second.byteCount && first.known == second.known && first.blobs == second.blobs
    }

    private static func folded(_ images: [LayoutImage]) throws(LayoutError) -> [LayoutImage] {
        var byName: [String: LayoutImage] = [:]
        // Two may have been one index for different ones, of which the plan must not depend on which comes first.
        let ordered = images.sorted {
            ($0.subset?.original?.description ?? "") < ($1.subset?.original?.description ?? "")
        }
        for image in ordered {
            let first = byName.updateValue(image, forKey: image.name) ?? image
            guard first.descriptor.digest == image.descriptor.digest else {
                let digests = (first.descriptor.digest, image.descriptor.digest)
                throw LayoutError(.conflictingNames(image.name, digests.0, digests.1), .planning, path: nil)
            }
        }
        return byName.values.sorted { $0.name < $1.name }
    }
}

/// The end of a tar file that grows by whole entries.
private struct EndOfFile {
    private var offset: Int64 = 0

    mutating func append(path: String, byteCount: Int64) throws(LayoutError) -> (header: Int64, data: Int64) {
        let header = offset
        let headerByteCount: Int64
        do {
            headerByteCount = try TarHeader.byteCount(path: path, byteCount: byteCount)
        } catch {
            throw LayoutError(.archive(error), .planning, path: nil, entry: path)
        }
        let data = try advance(by: headerByteCount)
        guard let length = TarHeader.paddedLength(byteCount) else {
            throw LayoutError(.tooLarge, .planning, path: nil)
        }
        try advance(by: length)
        return (header, data)
    }

    @discardableResult
    mutating func advance(by count: Int64) throws(LayoutError) -> Int64 {
        let (sum, overflow) = offset.addingReportingOverflow(count)
        guard !overflow else { throw LayoutError(.tooLarge, .planning, path: nil) }
        offset = sum
        return sum
    }
}

extension LayoutPlan {
    /// All that is in the file whatever was fetched, with its place: the documents, and every header.
    var skeleton: [(offset: Int64, bytes: [UInt8])] {
        get throws(LayoutError) {
            var pieces: [(offset: Int64, bytes: [UInt8])] = []
            for entry in known { pieces.append((entry.headerOffset, try bytes(of: entry))) }
            for blob in blobs { pieces.append((blob.headerOffset, try headerBytes(of: blob))) }
            return pieces
        }
    }

    /// An entry that is known already, with its header and padding.
    func bytes(of entry: KnownEntry) throws(LayoutError) -> [UInt8] {
        let size = Int64(entry.bytes.count)
        let padding = [UInt8](repeating: 0, count: TarHeader.padding(after: size))
        return try headerBytes(path: entry.path, byteCount: size) + entry.bytes + padding
    }
}

/// The tar header of a blob.
func headerBytes(of blob: LayoutPlan.Blob) throws(LayoutError) -> [UInt8] {
    try headerBytes(path: LayoutPath.blob(blob.descriptor.digest), byteCount: blob.descriptor.size)
}

/// The tar header of an entry of a bundle.
func headerBytes(path: String, byteCount: Int64) throws(LayoutError) -> [UInt8] {
    do {
        return try TarHeader.header(path: path, byteCount: byteCount)
    } catch {
        throw LayoutError(.archive(error), .planning, path: nil, entry: path)
    }
}
