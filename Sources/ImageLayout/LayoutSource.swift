import Archive
import Glibc
import OCI

/// What a layout is in.
package enum LayoutForm: Hashable, Sendable {
    /// A plain tar file, as bundles are.
    case tar
    /// A directory.
    case directory
    /// A tar file that `docker save` or another tool made without an index: its manifests were made here.
    case dockerArchive
}

/// Something that is read as an image layout: what it is in, where its blobs are, and its index.
struct LayoutSource {
    /// The file or the directory.
    let root: OpenFile
    let form: LayoutForm
    /// Whether it had to be unpacked.
    let isCompressed: Bool
    let blobs: LayoutBlobs
    let index: [Descriptor]
    /// The bytes that it takes as it is.
    let byteCount: Int64

    /// Opens a file or a directory and finds out what it is.
    ///
    /// - Throws: ``LayoutError`` where it is no layout, and what `spooling` throws.
    init(path: String, spooling: Spooling) throws {
        let opened = try OpenFile.source(at: path)
        guard try opened.status().irregularKind == nil else {
            let directory = try LayoutDirectory(of: opened)
            (root, form, isCompressed, blobs) = (opened, .directory, false, directory.blobs)
            (index, byteCount) = (directory.index.manifests, directory.byteCount)
            return
        }
        let size = try opened.byteCount()
        let compression = Compression(
            beginning: try opened.bytes(in: 0..<min(size, Int64(Compression.magicLength)))
        )
        let file = try compression.map { try spooling.unpack(opened, $0) } ?? opened
        let entries = try LayoutEntries(of: file)
        if let docker = entries.docker {
            let archive = try DockerArchive(of: file, entries: docker)
            let made = try MadeBlobs(archive.made, path: path)
            (form, index) = (.dockerArchive, archive.manifests)
            blobs = LayoutBlobs(of: file, ranges: archive.blobs, made: made)
        } else {
            (form, index) = (.tar, try entries.index(in: file).manifests)
            blobs = LayoutBlobs(of: file, ranges: entries.blobs)
        }
        (root, isCompressed, byteCount) = (file, compression != nil, size)
    }
}

extension OpenFile {
    /// Opens a file or a directory for reading.
    fileprivate static func source(at path: String) throws(LayoutError) -> OpenFile {
        // A pipe without a writer would block here, before it could be told to be one.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw LayoutError(.system(operation: "opening it", errno: errno), .reading, path: path)
        }
        let file = OpenFile(descriptor: descriptor, path: path, operation: .reading)
        let status = try file.status()
        if let kind = status.irregularKind, status.st_mode & S_IFMT != S_IFDIR {
            throw file.error(.notRegularFile(kind: kind))
        }
        return file
    }
}
