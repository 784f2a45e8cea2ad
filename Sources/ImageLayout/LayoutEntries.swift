import Archive
import FoundationEssentials
import OCI

/// The entries of a bundle, by what they are.
struct LayoutEntries {
    /// Where the data of each blob lies, where this is an OCI image layout.
    private(set) var blobs: [Digest: Range<Int64>] = [:]
    /// The entries of what `docker save` wrote; nil where this is an OCI image layout.
    private(set) var docker: DockerEntries?
    private var files: [String: Range<Int64>] = [:]
    private var index: Eager<Result<LayoutIndex, LayoutError>>?

    /// What is no directory, with its normalised path, and the digest that a blob has by it.
    typealias Entry = (path: String, digest: Digest?, entry: TarEntry)

    /// Reads the tar headers, and tells what the archive is.
    ///
    /// An archive that is both, as Docker makes them since version 25, is a layout. Only where its index is empty the list
    /// beside it counts: for images without a tag, Docker 25 wrote the one and not the other.
    ///
    /// - Parameter file: the bundle.
    /// - Throws: ``LayoutError`` when it is neither, when an entry leads out of it or is there twice, or when it is a layout
    ///   and has an entry that no layout has.
    init(of file: OpenFile) throws(LayoutError) {
        let entries: [TarEntry]
        do {
            entries = try TarIndex.read(descriptor: file.descriptor, path: file.path) { entry in
                // A bundle has it before all that it names, of which the headers take as long to read.
                if index == nil, entry.kind == .regular, entry.path == LayoutPath.index {
                    index = Eager { Self.index(at: entry.range, in: file) }
                }
            }
        } catch {
            throw file.error(.archive(error))
        }
        var found: [Entry] = []
        found.reserveCapacity(entries.count)
        for entry in entries {
            if let digest = LayoutPath.digest(ofBlob: entry.path), entry.kind != .directory {
                found.append((entry.path, digest, entry))
            } else if let path = try Self.filePath(entry, file) {
                found.append((path, LayoutPath.digest(ofBlob: path), entry))
            }
        }
        let names = Set(found.lazy.filter { $0.digest == nil }.map(\.path).filter(LayoutPath.markers.contains))
        if names.isSuperset(of: [LayoutPath.layout, LayoutPath.index]) || names == [LayoutPath.layout] {
            try addLayout(found, file)
            if names.contains(LayoutPath.dockerManifest), try isIndexEmpty(in: file) {
                (docker, blobs) = (try DockerEntries(found, in: file), [:])
            }
        } else if names.contains(LayoutPath.dockerManifest) || names.contains(LayoutPath.dockerRepositories) {
            docker = try DockerEntries(found, in: file)
        } else {
            throw file.error(.notLayout(reason: Self.reason(found.map(\.path))))
        }
    }

    /// Reads `index.json`.
    func index(in file: OpenFile) throws(LayoutError) -> LayoutIndex {
        guard let range = files[LayoutPath.index] else {
            throw file.error(.notLayout(reason: "it has no \(LayoutPath.index)"))
        }
        return try (index?.value ?? Self.index(at: range, in: file)).get()
    }

    private static func index(at range: Range<Int64>, in file: OpenFile) -> Result<LayoutIndex, LayoutError> {
        Result { () throws(LayoutError) in
            try file.decode(LayoutPath.index, range, limit: LayoutReader.indexByteLimit)
        }
    }

    private mutating func addLayout(_ found: [Entry], _ file: OpenFile) throws(LayoutError) {
        var others: Set<String> = []
        blobs.reserveCapacity(found.count)
        for (path, digest, entry) in found {
            if let kind = entry.kind.irregularText {
                throw file.error(.unsupportedEntry(kind: kind), entry: entry.path)
            }
            let isNew =
                if let digest {
                    blobs.updateValue(entry.range, forKey: digest) == nil
                } else {
                    others.insert(path).inserted
                }
            guard isNew else { throw file.error(.duplicateEntry, entry: entry.path) }
            if digest == nil, [LayoutPath.layout, LayoutPath.index].contains(path) { files[path] = entry.range }
        }
        try checkMarker(in: file)
    }

    private func checkMarker(in file: OpenFile) throws(LayoutError) {
        guard let range = files[LayoutPath.layout] else {
            throw file.error(.notLayout(reason: "it has no \(LayoutPath.layout)"))
        }
        let marker: LayoutMarker = try file.decode(LayoutPath.layout, range, limit: LayoutMarker.byteLimit)
        try marker.check(in: file)
    }

    private func isIndexEmpty(in file: OpenFile) throws(LayoutError) -> Bool {
        guard let range = files[LayoutPath.index] else { return false }
        // That of a bundle, which has Docker's list as well, need not be decoded twice.
        if case .success(let index) = index?.value { return index.manifests.isEmpty }
        let index: IndexEntries = try file.decode(LayoutPath.index, range, limit: LayoutReader.indexByteLimit)
        return index.manifests?.isEmpty != false
    }

    /// What would make it one of the two, and what is there instead.
    private static func reason(_ paths: [String]) -> String {
        let expected = "it has neither \(LayoutPath.layout) nor the \(LayoutPath.dockerManifest) of docker save"
        guard let first = paths.first else { return "\(expected); it has no files" }
        return "\(expected); it has \(first.printableExcerpt)" + (paths.count > 1 ? " and \(paths.count - 1) more" : "")
    }

    /// The normalised path of an entry; nil for a directory.
    private static func filePath(_ entry: TarEntry, _ file: OpenFile) throws(LayoutError) -> String? {
        var path = entry.path
        if entry.kind == .directory {
            if path.hasSuffix("/") { path.removeLast() }
            // The archive's own root.
            if path == "." { return nil }
        }
        guard let normalized = LayoutPath.normalized(path) else { throw file.error(.unsafePath, entry: entry.path) }
        return entry.kind == .directory ? nil : normalized
    }
}

/// The file `index.json` as far as it tells whether it has entries.
private struct IndexEntries: Decodable {
    /// Nil where it is null, which no layout may have.
    let manifests: [Entry]?

    struct Entry: Decodable {}
}

extension LayoutPath {
    /// What Docker before version 1.10 had in the place of `manifest.json`.
    static let dockerRepositories = "repositories"
    /// The files by which the forms of archives are told apart.
    fileprivate static let markers: Set = [layout, index, dockerManifest, dockerRepositories]
}

extension TarEntry {
    /// Where its data lies.
    var range: Range<Int64> { offset..<(offset + byteCount) }
}

extension TarEntry.Kind {
    /// What it is in words where it is neither a file nor a directory.
    fileprivate var irregularText: String? {
        switch self {
        case .regular, .directory: nil
        case .hardLink: "a hard link"
        case .symbolicLink: "a symbolic link"
        case .special: "a device, a pipe or a socket"
        }
    }
}

extension OpenFile {
    /// An error of an entry of this file.
    func error(_ code: LayoutError.Code, entry: String) -> LayoutError {
        LayoutError(code, operation, path: path, entry: entry)
    }

    /// Reads an entry of at most `limit` bytes that is JSON.
    func decode<Value: Decodable>(_ entry: String, _ range: Range<Int64>, limit: Int) throws(LayoutError) -> Value {
        try decode(try bytes(of: entry, range, limit: limit), entry: entry)
    }

    /// Reads an entry of at most `limit` bytes.
    func bytes(of entry: String, _ range: Range<Int64>, limit: Int) throws(LayoutError) -> [UInt8] {
        guard range.count <= limit else { throw error(.tooManyBytes(Int64(range.count), limit: limit), entry: entry) }
        return try bytes(in: range)
    }

    /// Decodes an entry that is JSON.
    func decode<Value: Decodable>(_ bytes: [UInt8], entry: String) throws(LayoutError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch {
            throw self.error(.unreadable(reason: Self.reason(of: error)), entry: entry)
        }
    }

    private static func reason(of error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "\(key.stringValue) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.last?.stringValue ?? "it") has the wrong type"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "\(context.codingPath.last?.stringValue ?? "it"): \(context.debugDescription)"
        default: "it is not JSON"
        }
    }
}
