import Archive
import FoundationEssentials
import Glibc
import OCI

/// An image layout in a directory.
///
/// Spec: image "OCI Image Layout Specification".
struct LayoutDirectory {
    let blobs: LayoutBlobs
    let index: LayoutIndex
    /// The bytes of its blobs and its index.
    let byteCount: Int64

    /// Looks what is there; no blob is opened.
    ///
    /// - Parameter root: the directory, open.
    /// - Throws: ``LayoutError`` where it is no layout, or cannot be read.
    init(of root: OpenFile) throws(LayoutError) {
        let text = try root.contents(of: LayoutPath.layout, limit: LayoutMarker.byteLimit)
        guard let text else { throw root.error(.notLayout(reason: "it has no \(LayoutPath.layout)")) }
        let marker: LayoutMarker = try root.decode(text, entry: LayoutPath.layout)
        try marker.check(in: root)
        let bytes = try root.contents(of: LayoutPath.index, limit: LayoutReader.indexByteLimit)
        guard let bytes else { throw root.error(.notLayout(reason: "it has no \(LayoutPath.index)")) }
        index = try root.decode(bytes, entry: LayoutPath.index)
        var byteCounts: [Digest: Int64] = [:]
        for algorithm in Digest.Algorithm.allCases {
            for name in try root.names(in: "blobs/\(algorithm.rawValue)") {
                let path = "blobs/\(algorithm.rawValue)/\(name)"
                guard let digest = LayoutPath.digest(ofBlob: path) else { continue }
                byteCounts[digest] = try root.byteCount(ofFile: path)
                guard byteCounts.count <= TarIndex.entryLimit else {
                    throw root.error(.notLayout(reason: "it has more than \(TarIndex.entryLimit) blobs"))
                }
            }
        }
        blobs = LayoutBlobs(of: root, byteCounts: byteCounts)
        byteCount = byteCounts.values.reduce(Int64(bytes.count), +)
    }
}

extension OpenFile {
    /// Opens the file of a blob beneath this directory.
    ///
    /// - Throws: ``LayoutError`` with the system's reason, `notRegularFile`, or `wrongSize` where it has another by now.
    func blob(_ digest: Digest, byteCount: Int64) throws(LayoutError) -> OpenFile {
        let path = LayoutPath.blob(digest)
        guard let file = try openFile(path) else { throw error(.missing(digest)) }
        let actual = try file.byteCount()
        guard actual == byteCount else { throw error(.wrongSize(digest, expected: byteCount, actual: actual)) }
        return file
    }

    /// Reads a file beneath this directory; nil where there is none.
    fileprivate func contents(of path: String, limit: Int) throws(LayoutError) -> [UInt8]? {
        guard let file = try openFile(path) else { return nil }
        let count = try file.byteCount()
        guard count <= limit else {
            throw LayoutError(.tooManyBytes(count, limit: limit), .reading, path: self.path, entry: path)
        }
        return try file.bytes(in: 0..<count)
    }

    /// The names in a directory beneath this one; none where there is no such directory.
    fileprivate func names(in path: String) throws(LayoutError) -> [String] {
        guard unsafe faccessat(descriptor, path, F_OK, 0) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw entryFailure("looking into it", path)
        }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: "\(self.path)/\(path)")
        } catch {
            throw LayoutError(.unreadable(reason: "\(error)"), .reading, path: self.path, entry: path)
        }
    }

    /// The size of a file beneath this directory, which is not opened.
    fileprivate func byteCount(ofFile path: String) throws(LayoutError) -> Int64 {
        var status = stat()
        guard unsafe fstatat(descriptor, path, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw entryFailure("asking for its size", path)
        }
        if let kind = status.irregularKind { throw unsupported(kind, path) }
        return Int64(status.st_size)
    }

    /// Opens a file beneath this directory; nil where there is none.
    ///
    /// No link is followed: it could lead anywhere.
    private func openFile(_ path: String) throws(LayoutError) -> OpenFile? {
        let opened = unsafe openat(descriptor, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard opened >= 0 else {
            if errno == ENOENT { return nil }
            throw errno == ELOOP ? unsupported("a symbolic link", path) : entryFailure("opening it", path)
        }
        let file = OpenFile(descriptor: opened, path: "\(self.path)/\(path)", operation: operation)
        if let kind = try file.status().irregularKind { throw unsupported(kind, path) }
        return file
    }

    private func unsupported(_ kind: String, _ path: String) -> LayoutError {
        LayoutError(.unsupportedEntry(kind: kind), .reading, path: self.path, entry: path)
    }

    private func entryFailure(_ operation: String, _ path: String) -> LayoutError {
        LayoutError(.system(operation: operation, errno: errno), .reading, path: self.path, entry: path)
    }
}
