import Archive
import FoundationEssentials
import OCI

/// The entries of a bundle, by what they are.
struct LayoutEntries {
    /// Where the data of each blob lies.
    private(set) var blobs: [Digest: Range<Int64>] = [:]
    private var files: [String: Range<Int64>] = [:]

    /// Reads the tar headers, and refuses what no layout has or what leads out of it.
    init(of file: OpenFile) throws(LayoutError) {
        let entries: [TarEntry]
        do {
            entries = try TarIndex.read(descriptor: file.descriptor, path: file.path)
        } catch {
            throw file.error(.archive(error))
        }
        var seen: Set<String> = []
        for entry in entries {
            guard let path = try Self.filePath(entry, file) else { continue }
            guard seen.insert(path).inserted else {
                throw LayoutError(.duplicateEntry, .reading, path: file.path, entry: entry.path)
            }
            add(path, entry.offset..<(entry.offset + entry.byteCount))
        }
        try checkMarker(in: file)
    }

    /// Reads `index.json`.
    func index(in file: OpenFile) throws(LayoutError) -> LayoutIndex {
        guard let range = files[LayoutPath.index] else {
            throw file.error(.notLayout(reason: "it has no \(LayoutPath.index)"))
        }
        return try Self.decode(LayoutPath.index, range, limit: LayoutReader.indexByteLimit, in: file)
    }

    private mutating func add(_ path: String, _ range: Range<Int64>) {
        if let digest = LayoutPath.digest(ofBlob: path) {
            blobs[digest] = range
        } else if [LayoutPath.layout, LayoutPath.index, LayoutPath.dockerManifest].contains(path) {
            files[path] = range
        }
    }

    private func checkMarker(in file: OpenFile) throws(LayoutError) {
        guard let range = files[LayoutPath.layout] else {
            let isDocker = files[LayoutPath.dockerManifest] != nil
            throw file.error(
                .notLayout(
                    reason: isDocker
                        ? "it is a Docker archive without OCI content; save it with Docker 25 or later"
                        : "it has no \(LayoutPath.layout)"
                )
            )
        }
        let marker: LayoutMarker = try Self.decode(LayoutPath.layout, range, limit: 64 << 10, in: file)
        guard marker.imageLayoutVersion.hasPrefix("1.0.") else {
            throw file.error(.unsupportedVersion(marker.imageLayoutVersion))
        }
    }

    /// The normalised path of a regular file; nil for a directory.
    private static func filePath(_ entry: TarEntry, _ file: OpenFile) throws(LayoutError) -> String? {
        if case .other(let kind) = entry.kind {
            throw LayoutError(.unsupportedEntry(kind: kind), .reading, path: file.path, entry: entry.path)
        }
        var path = entry.path
        if entry.kind == .directory {
            if path.hasSuffix("/") { path.removeLast() }
            // The layout's own root.
            if path == "." { return nil }
        }
        guard let normalized = LayoutPath.normalized(path) else {
            throw LayoutError(.unsafePath, .reading, path: file.path, entry: entry.path)
        }
        return entry.kind == .directory ? nil : normalized
    }

    private static func decode<Value: Decodable>(
        _ entry: String,
        _ range: Range<Int64>,
        limit: Int,
        in file: OpenFile
    ) throws(LayoutError) -> Value {
        guard range.count <= limit else {
            let code = LayoutError.Code.tooManyBytes(Int64(range.count), limit: limit)
            throw LayoutError(code, .reading, path: file.path, entry: entry)
        }
        let bytes = try file.bytes(in: range)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch {
            let code = LayoutError.Code.unreadable(reason: Self.reason(of: error))
            throw LayoutError(code, .reading, path: file.path, entry: entry)
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
