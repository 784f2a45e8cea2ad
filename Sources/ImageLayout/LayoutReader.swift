import Glibc
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
    /// The size of the file.
    package let byteCount: Int64
    /// The entries of the index that have a name, in its order, each once.
    package let images: [LayoutImage]
    /// The entries of the index that have none.
    package let unnamed: [Descriptor]
    /// Every manifest and index that is reachable and whole.
    package let documents: [Digest: Document]
    /// What is missing or damaged beneath the index, as far as opening finds out.
    ///
    /// Documents that are not what their digest says, and everything that is referenced and is not there or has another
    /// size. A bundle with problems opens, so that they can all be told; it is not to be used for anything else.
    package let problems: [LayoutError]

    let file: OpenFile
    let ranges: [Digest: Range<Int64>]
    let partLimit: Int

    /// The open file, for `pread` and `sendfile` at the offsets of ``range(of:)``.
    ///
    /// It is open as long as the reader is.
    package var descriptor: Int32 { file.descriptor }

    /// Opens a bundle.
    ///
    /// - Parameters:
    ///   - path: the bundle's name.
    ///   - partLimit: the most manifests and blobs beneath the entries of the index, each counted for each of these.
    /// - Throws: ``LayoutError`` when it cannot be opened, is no uncompressed tar file, is truncated, has an entry that is
    ///   there twice, leads out of the layout or is no file, is no image layout, or has too many parts.
    package init(path: String, partLimit: Int = partLimit) throws(LayoutError) {
        let file = try OpenFile.bundle(at: path)
        let entries = try LayoutEntries(of: file)
        let index = try entries.index(in: file)
        var graph = LayoutGraph(file: file, ranges: entries.blobs, partLimit: partLimit)
        for descriptor in index.manifests { try graph.add(descriptor) }
        self.path = path
        self.file = file
        byteCount = try file.byteCount()
        ranges = entries.blobs
        images = graph.images
        unnamed = index.manifests.filter { $0.imageName == nil }
        documents = graph.documents
        problems = try graph.problems()
        self.partLimit = partLimit
    }

    /// Where the data of a blob lies in the file; nil where it is not in it.
    package func range(of blob: Digest) -> Range<Int64>? { ranges[blob] }

    /// Reads a small blob, such as a config, and verifies it.
    ///
    /// - Throws: ``LayoutError`` when it is missing, larger than `limit` bytes or not what its digest says.
    package func bytes(of blob: Digest, limit: Int) throws(LayoutError) -> [UInt8] {
        guard let range = ranges[blob] else { throw file.error(.missing(blob)) }
        guard range.count <= limit else {
            let entry = LayoutPath.blob(blob)
            throw LayoutError(.tooManyBytes(Int64(range.count), limit: limit), .reading, path: path, entry: entry)
        }
        let bytes = try file.bytes(in: range)
        let actual = try file.digest(of: bytes, blob.algorithm)
        guard actual == blob else { throw file.error(.wrongDigest(expected: blob, actual: actual)) }
        return bytes
    }
}

extension OpenFile {
    /// Opens a bundle for reading.
    fileprivate static func bundle(at path: String) throws(LayoutError) -> OpenFile {
        // A pipe without a writer would block here, before it could be told to be one.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw LayoutError(.system(operation: "opening it", errno: errno), .reading, path: path)
        }
        let file = OpenFile(descriptor: descriptor, path: path, operation: .reading)
        if let kind = try file.status().irregularKind { throw file.error(.notRegularFile(kind: kind)) }
        return file
    }

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
