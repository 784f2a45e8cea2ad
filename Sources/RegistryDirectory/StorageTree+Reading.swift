import Glibc
import OCI

extension StorageTree {
    /// Reads the digest that a link file holds; nil where there is none, or no digest in it.
    ///
    /// Killed writers and full disks leave empty ones, which point nowhere.
    func link(in directory: String) throws(DirectoryError) -> Digest? {
        guard let file = try openFile(directory + "/link") else { return nil }
        return try digest(in: file)
    }

    /// Looks for a link file, whatever it holds; nil where there is nothing under its name.
    func findLink(in directory: String) throws(DirectoryError) -> FoundLink? {
        let path = directory + "/link"
        if let file = try openFile(path) {
            return FoundLink(digest: try digest(in: file), lastWrite: try file.status().lastWrite)
        }
        return try ownStatus(of: path).map { FoundLink(digest: nil, lastWrite: $0.lastWrite) }
    }

    private func digest(in file: StorageFile) throws(DirectoryError) -> Digest? {
        // One byte more than the longest.
        let text = try file.bytes(atMost: 136)
        return try? Digest(parsing: String(decoding: text, as: UTF8.self))
    }

    /// Opens a regular file for reading; nil where there is none.
    func openFile(_ path: String) throws(DirectoryError) -> StorageFile? {
        // Without waiting: in the place of the file there may be a pipe.
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            guard isMissing(errno) || errno == ENXIO else { throw DirectoryError("opening it", .reading, path: path) }
            return nil
        }
        let file = StorageFile(Descriptor(number), path: path)
        return try file.status().isRegular ? file : nil
    }

    /// The status of what is under a name, links followed; nil where there is nothing.
    func status(of path: String) throws(DirectoryError) -> stat? {
        var status = stat()
        guard unsafe stat(path, &status) != 0 else { return status }
        guard isMissing(errno) else { throw DirectoryError("looking for it", .reading, path: path) }
        return nil
    }

    /// The status of what is under a name, be it a symbolic link; nil where there is nothing.
    func ownStatus(of path: String) throws(DirectoryError) -> stat? {
        var status = stat()
        guard unsafe lstat(path, &status) != 0 else { return status }
        guard isMissing(errno) else { throw DirectoryError("looking for it", .reading, path: path) }
        return nil
    }

    /// Whether the directory of all blobs is that of another registry, by a link.
    var sharesBlobs: Bool {
        guard let blobs = realPath(paths.blobs), let root = realPath(paths.root) else { return false }
        return blobs.hasSuffix("/docker/registry/v2/blobs") && blobs != root + "/docker/registry/v2/blobs"
    }

    /// Where a path leads, without links in it; nil where it leads nowhere.
    func realPath(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Whether there is a directory under a name.
    func isDirectory(_ path: String) throws(DirectoryError) -> Bool { try status(of: path)?.isDirectory ?? false }

    /// The size of the regular file under a name; nil where there is none.
    func fileByteCount(_ path: String) throws(DirectoryError) -> Int64? {
        guard let status = try status(of: path), status.isRegular else { return nil }
        return Int64(status.st_size)
    }

    /// The names in a directory, in no order; nil where there is no directory.
    func names(in path: String) throws(DirectoryError) -> [String]? { try entries(in: path)?.map(\.name) }

    /// What is in a directory, in no order; nil where there is no directory.
    func entries(in path: String) throws(DirectoryError) -> [StorageEntry]? {
        guard let stream = unsafe opendir(path) else {
            guard isMissing(errno) else { throw DirectoryError("listing it", .reading, path: path) }
            return nil
        }
        defer { unsafe closedir(stream) }
        var entries: [StorageEntry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            entries.append(StorageEntry(name: name, kind: kind(of: name, in: path, type: unsafe entry.pointee.d_type)))
        }
        guard errno == 0 else { throw DirectoryError("listing it", .reading, path: path) }
        return entries
    }

    private func kind(of name: String, in directory: String, type: UInt8) -> StorageEntry.Kind {
        switch Int(type) {
        case DT_DIR: return .directory
        case DT_LNK: return .symbolicLink
        case DT_UNKNOWN:
            // Some file systems do not say.
            guard let status = try? ownStatus(of: "\(directory)/\(name)") else { return .directory }
            return status.isDirectory ? .directory : status.isSymbolicLink ? .symbolicLink : .other
        default: return .other
        }
    }

    /// The digests by which a directory's subdirectories are named, sorted: `<algorithm>/<hex>`.
    func digests(in path: String) throws(DirectoryError) -> [Digest] {
        var result: [Digest] = []
        for algorithm in Digest.Algorithm.allCases {
            for hex in try names(in: "\(path)/\(algorithm.rawValue)") ?? [] {
                if let digest = try? Digest(parsing: "\(algorithm.rawValue):\(hex)") { result.append(digest) }
            }
        }
        return result.sorted()
    }
}

/// Whether a call failed because there is nothing under the name.
func isMissing(_ errno: Int32) -> Bool { errno == ENOENT || errno == ENOTDIR }

extension stat {
    var isRegular: Bool { st_mode & S_IFMT == S_IFREG }
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    var isSymbolicLink: Bool { st_mode & S_IFMT == S_IFLNK }

    /// When it was last written to, as time since 1970.
    var lastWrite: Duration { .seconds(st_mtim.tv_sec) + .nanoseconds(st_mtim.tv_nsec) }
}

/// What a directory has under a name.
struct StorageEntry {
    enum Kind {
        case directory
        case symbolicLink
        case other
    }

    let name: String
    let kind: Kind
}

/// A link file.
struct FoundLink {
    /// What it holds; nil where that is no digest.
    let digest: Digest?
    /// As time since 1970.
    let lastWrite: Duration
}

/// By what a file or a directory is known under all its paths.
struct FileIdentity: Hashable {
    private let device: dev_t
    private let number: ino_t

    init(_ status: stat) {
        device = status.st_dev
        number = status.st_ino
    }
}
