import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// An archive of a test: files and links, in the order in which they are packed.
struct DockerTar {
    /// What an entry is beside its path.
    enum Content {
        case file([UInt8])
        case symbolicLink(String)
        case hardLink(String)
        case other(Character)
    }

    var entries: [(path: String, content: Content)] = []

    mutating func add(_ path: String, _ bytes: [UInt8]) { entries.append((path, .file(bytes))) }
    mutating func add(_ path: String, _ text: String) { add(path, Array(text.utf8)) }
    mutating func add(_ path: String, link target: String) { entries.append((path, .symbolicLink(target))) }

    var bytes: [UInt8] {
        var result: [UInt8] = []
        for (path, content) in entries {
            switch content {
            case .file(let bytes): result += TarBytes.archive([TarBytes.File(path, bytes)]).dropLast(1024)
            case .symbolicLink(let target): result += TarBytes.header(path: path, byteCount: 0, type: "2", link: target)
            case .hardLink(let target): result += TarBytes.header(path: path, byteCount: 0, type: "1", link: target)
            case .other(let type): result += TarBytes.header(path: path, byteCount: 0, type: type)
            }
        }
        return result + TarBytes.end
    }
}

/// What a test makes its archives of.
enum DockerParts {
    /// A layer that is not compressed, different for each number.
    static func layer(_ number: UInt64) -> [UInt8] {
        TarBytes.archive([TarBytes.File("srv/\(number)", RandomBytes.make(count: 700, seed: number))])
    }

    /// A config of layers with this content.
    static func config(_ layers: [[UInt8]], note: String = "") throws -> [UInt8] {
        let digests = try layers.map { "\"\(try Digest.of($0))\"" }.joined(separator: ",")
        return Array(
            #"{"architecture":"amd64","os":"linux","comment":"\#(note)","config":{"Cmd":["sh"]},"#.utf8
        ) + Array(#""rootfs":{"type":"layers","diff_ids":[\#(digests)]}}"#.utf8)
    }

    /// An entry of `manifest.json`.
    static func item(_ config: String, _ layers: [String], tags: [String]?) throws -> String {
        let tags = try tags.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) } ?? "null"
        let layers = String(decoding: try JSONEncoder().encode(layers), as: UTF8.self)
        return #"{"Config":"\#(config)","RepoTags":\#(tags),"Layers":\#(layers)}"#
    }

    /// An archive of one image, with each layer in a file of this name.
    static func archive(
        _ layers: [(path: String, bytes: [UInt8])],
        content: [[UInt8]]? = nil,
        config path: String = "config.json",
        tags: [String]? = ["alpine:3.20"]
    ) throws -> DockerTar {
        var tar = DockerTar()
        let config = try config(content ?? layers.map(\.bytes))
        for layer in layers { tar.add(layer.path, layer.bytes) }
        tar.add(path, config)
        tar.add("manifest.json", "[\(try item(path, layers.map(\.path), tags: tags))]")
        return tar
    }
}

extension ScratchDirectory {
    /// Reads an archive that a test packs.
    func docker(_ tar: DockerTar) throws -> DockerArchive {
        try docker(at: write(tar.bytes, to: "docker.tar"))
    }

    /// Reads an archive.
    func docker(at path: String) throws -> DockerArchive {
        let file = OpenFile(descriptor: open(path, O_RDONLY | O_CLOEXEC), path: path, operation: .reading)
        return try DockerArchive(of: file, entries: #require(LayoutEntries(of: file).docker))
    }

    /// What reading an archive fails with.
    func dockerFailure(_ tar: DockerTar) throws -> LayoutError {
        let error = try #require(throws: LayoutError.self) { try docker(tar) }
        #expect(error.path == path("docker.tar"))
        #expect(error.operation == .reading)
        return error
    }
}

extension DockerArchive {
    /// A manifest of the index, read again.
    func manifest(_ number: Int = 0) throws -> ImageManifest {
        let top = manifests[number]
        let document = try Document(bytes: #require(made[top.digest]), declaredType: top.mediaType)
        #expect(document.descriptor.digest == top.digest)
        #expect(document.descriptor.size == top.size)
        guard case .manifest(let manifest) = document.content else { throw DocumentError(.ambiguous) }
        return manifest
    }

    /// The names of the images.
    var names: [String?] { manifests.map(\.imageName) }

    /// The content of a blob, wherever it is, which must be what its digest says.
    func content(_ digest: Digest, of path: String) throws -> [UInt8] {
        let content = try made[digest] ?? bytes(of: path, in: #require(blobs[digest]))
        #expect(try Digest.of(content) == digest)
        return content
    }

    /// Writes it as a directory that is an image layout.
    func write(of path: String, to directory: String, in scratch: ScratchDirectory) throws {
        try scratch.write(deterministicJSON(LayoutMarker.current), to: "\(directory)/oci-layout")
        let entries = String(decoding: try JSONEncoder().encode(manifests), as: UTF8.self)
        try scratch.write(#"{"schemaVersion":2,"manifests":\#(entries)}"#, to: "\(directory)/index.json")
        for digest in Set(blobs.keys).union(made.keys) {
            try scratch.write(try content(digest, of: path), to: "\(directory)/\(blobPath(digest))")
        }
    }
}
