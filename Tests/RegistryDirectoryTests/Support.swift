import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

extension Testing.Tag {
    /// Runs programs of others on what we write, or needs the system to mount something.
    @Tag static var interop: Self
}

/// A registry's directory for one test, seen by ourselves and by an independent reader.
struct Registry {
    let root: String
    let directory: RegistryDirectory
    var oracle: RegistryStorage { RegistryStorage(root: root) }
    var base: String { root + "/docker/registry/v2" }

    init(_ root: String, _ access: RegistryDirectory.Access = .readWrite) throws {
        self.root = root
        directory = try RegistryDirectory(path: root, access: access)
    }

    /// Uploads bytes in one piece.
    @discardableResult
    func add(_ bytes: [UInt8], _ repository: RepositoryPath, algorithm: Digest.Algorithm = .sha256) throws -> Digest {
        let digest = try Digest.of(bytes, algorithm: algorithm)
        let upload = try directory.openUpload(in: repository, algorithm: algorithm)
        let claim = upload.claim()
        try upload.append(bytes, claim: claim)
        try upload.commit(as: digest, claim: claim)
        return digest
    }

    /// Stores an image, children first, and points a tag at it.
    func add(_ image: TestImage, _ repository: RepositoryPath, tag: OCI.Tag? = nil) throws {
        for child in image.children { try add(child, repository) }
        let blobs = try (image.layers + [image.config].compactMap(\.self)).filter { try !$0.bytes.isEmpty }
        for blob in blobs { try add(blob.bytes, repository, algorithm: blob.digest.algorithm) }
        let missing = try directory.putManifest(
            image.document.bytes,
            digest: image.digest,
            tags: tag.map { [$0] } ?? [],
            needing: blobs.map(\.digest),
            in: repository
        )
        #expect(missing.isEmpty)
    }

    /// Expects that everything of an image can be read, byte for byte.
    func expect(_ image: TestImage, _ repository: RepositoryPath, location: SourceLocation = #_sourceLocation) throws {
        for document in image.documents {
            let bytes = try directory.manifest(document.digest, in: repository)
            #expect(bytes == document.bytes, sourceLocation: location)
        }
        for blob in image.blobs {
            let found = try #require(try directory.blob(blob.digest, in: repository), sourceLocation: location)
            #expect(try found.bytes == blob.bytes, sourceLocation: location)
        }
    }

    /// What is left of uploads.
    func leftOvers(_ repository: RepositoryPath) -> [String] {
        oracle.unfinishedUploads(repository: repository.description)
    }

    /// Every file and directory with its content.
    func snapshot() throws -> [String: [UInt8]?] { try fileTree(root) }
}

/// Every file and directory beneath a directory, with the content of the files.
func fileTree(_ root: String) throws -> [String: [UInt8]?] {
    var result: [String: [UInt8]?] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: root) {
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: "\(root)/\(name)", isDirectory: &isDirectory)
        result[name] = .some(
            isDirectory.boolValue ? nil : try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)")))
        )
    }
    return result
}

extension BlobUpload {
    func append(_ bytes: [UInt8], claim: Claim) throws(DirectoryError) {
        try bytes.withUnsafeBufferPointer { buffer throws(DirectoryError) in
            try append(UnsafeRawBufferPointer(buffer), claim: claim)
        }
    }
}

extension OpenBlob {
    /// All of it.
    var bytes: [UInt8] {
        get throws {
            var bytes = [UInt8](repeating: 0, count: Int(byteCount))
            guard pread(descriptor, &bytes, bytes.count, Int(offset)) == bytes.count else {
                throw SystemError("reading")
            }
            return bytes
        }
    }
}

/// What a test calls its repository.
let repository = path("team/app")

func path(_ text: String) -> RepositoryPath {
    guard let path = try? RepositoryPath(parsing: text) else { preconditionFailure("\(text) is no repository") }
    return path
}

func tag(_ text: String) -> OCI.Tag {
    guard let tag = try? OCI.Tag(parsing: text) else { preconditionFailure("\(text) is no tag") }
    return tag
}

/// Bytes that a seed decides, with their digest.
func content(_ count: Int, seed: UInt64 = 1, _ algorithm: Digest.Algorithm = .sha256) throws -> ([UInt8], Digest) {
    let bytes = RandomBytes.make(count: count, seed: seed)
    return (bytes, try Digest.of(bytes, algorithm: algorithm))
}

extension RepositorySurvey {
    /// Whether there is nothing in it: a removal that was killed leaves such directories, as do tags that were removed.
    var isEmpty: Bool {
        tags.isEmpty && ghostTags.isEmpty && manifests.isEmpty && danglingManifests.isEmpty && layers.isEmpty
            && damage.isEmpty
    }
}
