import Archive
import OCI

/// The files of an archive of `docker save`, under all their names.
struct DockerEntries {
    /// A file of the archive.
    struct File {
        /// The path of the file itself, wherever links led to it.
        let path: String
        /// Where its data lies.
        let range: Range<Int64>
    }

    /// The most links that are followed from one to the next: as many as Linux follows.
    static let linkLimit = 40

    private var entries: [String: TarEntry] = [:]

    /// Takes the entries, whatever they are: only those that an image needs have to be files, or links to files.
    ///
    /// One path may be there twice where both are small files with the same bytes: go-containerregistry, and with it
    /// crane, ko and kaniko, writes a config once for each of the images that have it.
    ///
    /// - Parameters:
    ///   - found: the entries that are no directories, with their normalised paths.
    ///   - file: the archive.
    /// - Throws: ``LayoutError`` with `duplicateEntry`.
    init(_ found: [LayoutEntries.Entry], in file: OpenFile) throws(LayoutError) {
        for (path, _, entry) in found {
            guard let first = entries.updateValue(entry, forKey: path) else { continue }
            guard try Self.isSame(first, entry, in: file) else { throw file.error(.duplicateEntry, entry: entry.path) }
        }
    }

    /// Whether there is something with this path.
    func contains(_ path: String) -> Bool { entries[path] != nil }

    /// Finds a file, through links where it must.
    ///
    /// - Parameters:
    ///   - name: its path, as it is written.
    ///   - source: the entry that names it, for errors.
    ///   - file: the archive.
    /// - Returns: the file.
    /// - Throws: ``LayoutError`` with `missingEntry`, `linkLeadsOut`, `tooManyLinks` or `unsupportedEntry`.
    func find(_ name: String, namedBy source: String, in file: OpenFile) throws(LayoutError) -> File {
        var (source, path) = (source, LayoutPath.normalized(name))
        for _ in 0...Self.linkLimit {
            guard let known = path, let entry = entries[known] else {
                throw file.error(.missingEntry(path ?? name), entry: source)
            }
            switch entry.kind {
            case .regular: return File(path: known, range: entry.range)
            case .hardLink(let target): path = Self.path(to: target, from: [])
            case .symbolicLink(let target): path = Self.path(to: target, from: known.split(separator: "/").dropLast())
            case .directory, .special:
                throw file.error(.unsupportedEntry(kind: "a device, a pipe or a socket"), entry: known)
            }
            if path == nil { throw file.error(.linkLeadsOut, entry: known) }
            source = known
        }
        throw file.error(.tooManyLinks(limit: Self.linkLimit), entry: name)
    }

    /// Where a link leads; nil where that is not in the archive.
    private static func path(to target: String, from directory: [Substring]) -> String? {
        guard !target.hasPrefix("/"), !target.utf8.contains(0) else { return nil }
        var parts = directory
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    private static func isSame(_ one: TarEntry, _ other: TarEntry, in file: OpenFile) throws(LayoutError) -> Bool {
        guard one.kind == .regular, other.kind == .regular, one.byteCount == other.byteCount,
            one.byteCount <= ImageConfig.byteLimit
        else { return false }
        return try file.bytes(in: one.range) == file.bytes(in: other.range)
    }
}
