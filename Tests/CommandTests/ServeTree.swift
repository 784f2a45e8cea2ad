import Foundation
import OCI

/// Everything in a registry's directory, read without any registry: each file is accounted for and verified.
struct ServeTree {
    /// What has no place there, is not what it says, or says what is not there.
    private(set) var problems: [String] = []
    /// The verified blobs and manifests.
    private(set) var contents: Set<Digest> = []
    /// The blobs of each repository.
    private(set) var blobs: [String: Set<Digest>] = [:]
    /// The manifests of each repository.
    private(set) var manifests: [String: Set<Digest>] = [:]
    /// What each `repository:tag` points at.
    private(set) var tags: [String: Digest] = [:]
    /// The bytes of all that was verified.
    private(set) var byteCount: Int64 = 0

    private let base: String

    /// A manifest, as far as it names blobs.
    private struct Manifest: Decodable {
        struct Reference: Decodable { let digest: String }
        let config: Reference?
        let layers: [Reference]?
    }

    /// Reads a registry's root directory.
    init(root: String) throws {
        base = root + "/docker/registry/v2"
        for path in try FileManager.default.subpathsOfDirectory(atPath: root) {
            var status = stat()
            guard lstat("\(root)/\(path)", &status) == 0 else { throw ServeTreeError(path: path, code: errno) }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            let parts = path.split(separator: "/").map(String.init)
            if let place = parts.firstIndex(of: "_uploads"), place < parts.count - 1 {
                problems.append("left over: \(path)")
            } else if !isDirectory {
                try account(for: path, Array(parts.dropFirst(3)), byteCount: Int64(status.st_size))
            }
        }
        checkReferences()
    }

    /// What uploads have left in a registry's root directory, of whichever repository.
    ///
    /// - Throws: also where something is removed just then.
    static func uploads(root: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root).filter { path in
            path.split(separator: "/").dropLast().last == "_uploads"
        }
    }

    // MARK: - Files

    /// Takes a file for what its path says.
    private mutating func account(for path: String, _ parts: [String], byteCount: Int64) throws {
        let stranger = "a file that has no place: \(path)"
        switch parts.first {
        case "blobs" where parts.count == 5 && parts[4] == "data":
            guard let digest = try? Digest(parsing: "\(parts[1]):\(parts[3])"), digest.hex.hasPrefix(parts[2]) else {
                return problems.append(stranger)
            }
            let file = URL(fileURLWithPath: "\(base)/\(parts.joined(separator: "/"))")
            let data = try Data(contentsOf: file, options: .alwaysMapped)
            let actual = try Digest.of(data, algorithm: digest.algorithm)
            guard actual == digest else { return problems.append("torn: \(path), which has \(byteCount) bytes") }
            contents.insert(digest)
            self.byteCount += byteCount
        case "repositories" where parts.last == "link":
            guard let place = parts.firstIndex(where: { $0.hasPrefix("_") }) else { return problems.append(stranger) }
            let repository = parts[1..<place].joined(separator: "/")
            let text = try String(contentsOfFile: "\(base)/\(parts.joined(separator: "/"))", encoding: .utf8)
            guard let digest = try? Digest(parsing: text) else { return problems.append("torn: \(path): \"\(text)\"") }
            guard link(Array(parts[place...].dropLast()), digest, repository) else { return problems.append(stranger) }
        default: problems.append(stranger)
        }
    }

    /// Takes a link for what its directory says; false where that is nothing or something else.
    private mutating func link(_ parts: [String], _ digest: Digest, _ repository: String) -> Bool {
        let own = [digest.algorithm.rawValue, digest.hex]
        switch parts.count {
        case 3 where parts == ["_layers"] + own: blobs[repository, default: []].insert(digest)
        case 4 where parts == ["_manifests", "revisions"] + own: manifests[repository, default: []].insert(digest)
        case 4 where parts[0...1] == ["_manifests", "tags"] && parts[3] == "current":
            tags["\(repository):\(parts[2])"] = digest
        // What the tag once pointed at.
        case 6: return parts[0...1] == ["_manifests", "tags"] && parts[3...] == ["index"] + own
        default: return false
        }
        return true
    }

    // MARK: - References

    /// Checks that whatever is visible leads to something that is whole.
    private mutating func checkReferences() {
        for (repository, digests) in blobs {
            for digest in digests where !contents.contains(digest) {
                problems.append("\(repository) has a link to a blob that is not there: \(digest)")
            }
        }
        for (repository, digests) in manifests {
            for digest in digests { checkManifest(digest, of: repository) }
        }
        for (name, digest) in tags {
            let repository = String(name.prefix { $0 != ":" })
            guard manifests[repository]?.contains(digest) != true else { continue }
            problems.append("\(name) points at a manifest that is not there: \(digest)")
        }
    }

    private mutating func checkManifest(_ digest: Digest, of repository: String) {
        let path = "\(base)/blobs/\(digest.algorithm.rawValue)/\(digest.hex.prefix(2))/\(digest.hex)/data"
        guard contents.contains(digest), let data = FileManager.default.contents(atPath: path),
            let manifest = try? JSONDecoder().decode(Manifest.self, from: data)
        else { return problems.append("\(repository) has a link to a manifest that is not there: \(digest)") }
        let needed = ([manifest.config].compactMap(\.self) + (manifest.layers ?? [])).map(\.digest)
        let present = Set((blobs[repository] ?? []).map(\.description))
        for blob in needed where !present.contains(blob) {
            problems.append("\(repository) has the manifest \(digest) without its blob \(blob)")
        }
    }
}

/// A directory cannot be read.
struct ServeTreeError: Error, CustomStringConvertible {
    let path: String
    let code: Int32

    var description: String { "looking at \(path): \(String(cString: strerror(code)))" }
}
