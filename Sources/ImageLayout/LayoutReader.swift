package import OCI

/// A bundle that is open for reading.
///
/// It may have been written by another program.
///
/// Opening reads the tar headers, the index and every manifest, and checks these; it does not read the blobs.
package final class LayoutReader: Sendable {
    /// The most bytes of `index.json`.
    package static let indexByteLimit = 64 << 20
    /// The most manifests and blobs beneath the entries of the index, each counted for each of these.
    ///
    /// All of them are looked at, and what is damaged among them is known by the names of all that need it: a small
    /// file in which many entries have the same many parts would take hours, and all memory.
    package static let partLimit = 10_000_000

    /// The bundle's name.
    package let path: String
    /// The size of the file, or of all files of the directory.
    package let byteCount: Int64
    /// The entries of the index that have a name, in its order, each once.
    package let images: [LayoutImage]
    /// The entries of the index that have none.
    package let unnamed: [Descriptor]
    /// Those of them that refer to something.
    package let referrers: [LayoutReferrer]
    /// Every manifest and index that is reachable and whole.
    package let documents: [Digest: Document]
    /// What is missing or damaged beneath the index, as far as opening finds out.
    ///
    /// Documents that are not what their digest says, and everything that is referenced and is not there or has another
    /// size. A bundle with problems opens, so that they can all be told; it is not to be used for anything else.
    package let problems: [LayoutError]

    /// The platforms that indexes of other programs name and that are not in it, by the image's name.
    package let missingPlatforms: [String: [Platform]]
    /// What it is in.
    package let form: LayoutForm
    /// Whether it is compressed, so that it had to be unpacked.
    package let isCompressed: Bool

    /// The file, or the directory.
    let file: OpenFile
    let places: LayoutBlobs
    let partLimit: Int

    /// Opens a bundle, or what another program made: a layout in a tar file or a directory, compressed or not, or an
    /// archive of `docker save`.
    ///
    /// - Parameters:
    ///   - path: the bundle's name.
    ///   - naming: how images are called that have only a tag for a name, or none; nil leaves them as they are.
    ///   - spooling: how a compressed file is unpacked.
    ///   - partLimit: the most manifests and blobs beneath the entries of the index, each counted for each of these.
    /// - Throws: ``LayoutError`` when it cannot be opened, is no tar file, is truncated, has an entry that is there twice,
    ///   leads out of the layout or is no file, is no image layout, or has too many parts; and what `spooling` throws.
    package init(
        path: String,
        naming: ImageNaming? = nil,
        spooling: Spooling = Spooling(),
        partLimit: Int = partLimit
    ) throws {
        let source = try LayoutSource(path: path, spooling: spooling)
        let index = naming?.named(source.index) ?? source.index
        let read = ReadDocuments(beneath: index, of: source.blobs, partLimit: partLimit)
        var graph = LayoutGraph(file: source.root, places: source.blobs, read: read, partLimit: partLimit)
        for descriptor in index { try graph.add(descriptor) }
        self.path = path
        file = source.root
        (form, isCompressed, byteCount, places) = (source.form, source.isCompressed, source.byteCount, source.blobs)
        (images, missingPlatforms) = (graph.images, graph.missingPlatforms)
        unnamed = index.filter { $0.imageName == nil }
        documents = graph.documents
        referrers = unnamed.compactMap { LayoutReferrer($0, document: graph.documents[$0.digest]) }
        problems = try graph.problems()
        self.partLimit = partLimit
    }

    /// The layers in it that are fetched from their makers, and need not be there.
    package var foreignLayers: Set<Digest> {
        Set(documents.values.flatMap(\.foreignLayers).map(\.digest).filter { byteCount(of: $0) != nil })
    }

    /// The size of a blob; nil where it is not in it.
    package func byteCount(of blob: Digest) -> Int64? { places.byteCount(of: blob) }

    /// Where the data of a blob lies in the tar file; nil where it is not in it, or this is no tar file.
    package func range(of blob: Digest) -> Range<Int64>? { places.range(of: blob) }

    /// Opens a blob; nil where it is not in it.
    ///
    /// - Throws: ``LayoutError`` where it is in a file of its own, which cannot be opened or has another size by now.
    package func location(of blob: Digest) throws(LayoutError) -> BlobLocation? { try places.location(of: blob) }

    /// Reads a small blob, such as a config, and verifies it.
    ///
    /// - Throws: ``LayoutError`` when it is missing, larger than `limit` bytes or not what its digest says.
    package func bytes(of blob: Digest, limit: Int) throws(LayoutError) -> [UInt8] {
        if let count = byteCount(of: blob), count > limit {
            let entry = LayoutPath.blob(blob)
            throw LayoutError(.tooManyBytes(count, limit: limit), .reading, path: path, entry: entry)
        }
        guard let bytes = try places.bytes(of: blob) else { throw file.error(.missing(blob)) }
        let actual = try file.digest(of: bytes, blob.algorithm)
        guard actual == blob else { throw file.error(.wrongDigest(expected: blob, actual: actual)) }
        return bytes
    }
}

extension OpenFile {
    /// Digests bytes of this file.
    func digest(of bytes: [UInt8], _ algorithm: Digest.Algorithm) throws(LayoutError) -> Digest {
        do {
            return try Digest.of(bytes, algorithm: algorithm)
        } catch {
            throw self.error(.digest(reason: error.description))
        }
    }
}

extension Descriptor {
    /// The name of an image at the top of a layout; nil for other content.
    var imageName: String? {
        annotations?[LayoutAnnotation.containerdName] ?? annotations?[LayoutAnnotation.referenceName]
    }
}
