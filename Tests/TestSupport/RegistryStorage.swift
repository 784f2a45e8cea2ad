import Foundation
package import OCI
import Synchronization

/// The directory of a distribution registry, written and read without any registry client.
///
/// It makes a registry of hundreds of images in a moment, and it tells what a registry really holds after a push.
package final class RegistryStorage: Sendable {
    /// The registry's root directory.
    package let root: String
    private let known = Mutex<Set<String>>([])
    private let scratch: ScratchDirectory?

    private var base: String { root + "/docker/registry/v2" }

    /// Takes a directory, which need not exist.
    package init(root: String) {
        self.root = root
        scratch = nil
    }

    /// Takes a directory that goes with the value.
    package init(in scratch: ScratchDirectory) {
        root = scratch.path
        self.scratch = scratch
    }

    // MARK: - Writing

    /// Puts an image and everything beneath it into a repository; without a tag it is there by digest only.
    package func add(_ image: TestImage, repository: String, tag: String? = nil) throws {
        for blob in image.blobs { try add(blob, repository: repository) }
        for document in image.documents {
            try store(document.bytes, as: document.digest)
            let link = "\(manifests(repository))/revisions/\(path(document.digest))/link"
            try write(Array(document.digest.description.utf8), to: link)
        }
        if let tag { try setTag(tag, to: image.digest, repository: repository) }
    }

    /// Puts a layer or a config into a repository.
    package func add(_ blob: TestBlob, repository: String) throws {
        switch blob.content {
        case .bytes(let bytes): try store(bytes, as: blob.digest)
        case .file(let path): try store(file: path, as: blob.digest)
        case .elsewhere: return
        }
        let link = "\(layers(repository))/\(path(blob.digest))/link"
        try write(Array(blob.digest.description.utf8), to: link)
    }

    /// Points a tag at a manifest, as distribution does: the current link, and a link for what it ever pointed at.
    package func setTag(_ tag: String, to digest: Digest, repository: String) throws {
        let directory = "\(manifests(repository))/tags/\(tag)"
        let link = Array(digest.description.utf8)
        try write(link, to: "\(directory)/index/\(path(digest))/link")
        try write(link, to: "\(directory)/current/link", replacing: true)
    }

    /// Replaces the bytes of a blob by others under the same digest: a registry that lies.
    package func corrupt(_ digest: Digest, with bytes: [UInt8]) throws {
        try write(bytes, to: blobPath(digest), replacing: true)
    }

    /// Removes the bytes of a blob; the links to it stay.
    package func removeBlob(_ digest: Digest) throws { try FileManager.default.removeItem(atPath: blobPath(digest)) }

    // MARK: - Reading

    /// Where the bytes of a blob or a manifest are.
    package func blobPath(_ digest: Digest) -> String {
        "\(base)/blobs/\(digest.algorithm.rawValue)/\(digest.hex.prefix(2))/\(digest.hex)/data"
    }

    /// Whether the registry has the bytes, in whatever repository.
    package func hasBlob(_ digest: Digest) -> Bool { FileManager.default.fileExists(atPath: blobPath(digest)) }

    /// Whether a repository gives out the bytes as a layer or a config.
    package func hasBlob(_ digest: Digest, repository: String) -> Bool {
        let link = "\(layers(repository))/\(path(digest))/link"
        return hasBlob(digest) && FileManager.default.fileExists(atPath: link)
    }

    /// The bytes of a blob or a manifest.
    package func bytes(_ digest: Digest) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: blobPath(digest))))
    }

    /// What a tag points at; nil where there is no such tag.
    package func digest(ofTag tag: String, repository: String) throws -> Digest? {
        let link = "\(manifests(repository))/tags/\(tag)/current/link"
        guard let data = FileManager.default.contents(atPath: link) else { return nil }
        return try Digest(parsing: String(decoding: data, as: UTF8.self))
    }

    /// The tags of a repository, sorted.
    package func tags(repository: String) -> [String] { names(in: "\(manifests(repository))/tags") }

    /// The manifests of a repository, tagged or not.
    package func revisions(repository: String) throws -> Set<Digest> {
        try digests(in: "\(manifests(repository))/revisions")
    }

    /// The layers and configs of a repository.
    package func layerLinks(repository: String) throws -> Set<Digest> { try digests(in: layers(repository)) }

    /// Every repository, sorted.
    package func repositories() -> [String] { repositories(below: "") }

    /// Every blob, manifests among them.
    package func blobs() throws -> Set<Digest> {
        var result: Set<Digest> = []
        for algorithm in names(in: "\(base)/blobs") {
            for prefix in names(in: "\(base)/blobs/\(algorithm)") {
                for hex in names(in: "\(base)/blobs/\(algorithm)/\(prefix)") {
                    result.insert(try Digest(parsing: "\(algorithm):\(hex)"))
                }
            }
        }
        return result
    }

    /// What uploads left behind in a repository: nothing, after uploads that ended well.
    package func unfinishedUploads(repository: String) -> [String] {
        names(in: "\(base)/repositories/\(repository)/_uploads")
    }

    private func repositories(below name: String) -> [String] {
        let directory = "\(base)/repositories" + (name.isEmpty ? "" : "/" + name)
        let entries = names(in: directory)
        let own = entries.contains("_layers") ? [name] : []
        let below = entries.filter { !$0.hasPrefix("_") }
        return own + below.flatMap { repositories(below: name.isEmpty ? $0 : "\(name)/\($0)") }
    }

    private func digests(in directory: String) throws -> Set<Digest> {
        var result: Set<Digest> = []
        for algorithm in names(in: directory) {
            for hex in names(in: "\(directory)/\(algorithm)") {
                result.insert(try Digest(parsing: "\(algorithm):\(hex)"))
            }
        }
        return result
    }

    private func names(in directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    private func path(_ digest: Digest) -> String { "\(digest.algorithm.rawValue)/\(digest.hex)" }
    private func layers(_ repository: String) -> String { "\(base)/repositories/\(repository)/_layers" }
    private func manifests(_ repository: String) -> String { "\(base)/repositories/\(repository)/_manifests" }
}

// MARK: - Files

extension RegistryStorage {
    private func store(_ bytes: [UInt8], as digest: Digest) throws { try write(bytes, to: blobPath(digest)) }

    private func store(file: String, as digest: Digest) throws {
        let target = blobPath(digest)
        try makeDirectory((target as NSString).deletingLastPathComponent)
        // A link shares the bytes: a registry never changes a blob.
        guard link(file, target) != 0, errno != EEXIST else { return }
        try FileManager.default.copyItem(atPath: file, toPath: target)
    }

    /// Plain system calls: an order of magnitude faster than Foundation, which matters for thousands of files.
    private func write(_ bytes: [UInt8], to path: String, replacing: Bool = false) throws {
        try makeDirectory((path as NSString).deletingLastPathComponent)
        // Never into an existing file: it may be a link to one that belongs to another.
        if replacing { unlink(path) }
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        if file < 0, errno == EEXIST { return }
        guard file >= 0 else { throw SystemError("creating \(path)") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw SystemError("writing \(path)") }
            rest = rest.dropFirst(count)
        }
    }

    private func makeDirectory(_ path: String) throws {
        guard !known.withLock({ $0.contains(path) }) else { return }
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            guard errno == ENOENT else { throw SystemError("making \(path)") }
            try makeDirectory((path as NSString).deletingLastPathComponent)
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw SystemError("making \(path)") }
        }
        known.withLock { _ = $0.insert(path) }
    }
}
