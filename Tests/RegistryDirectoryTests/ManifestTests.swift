import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

@Suite struct ManifestTests {
    let scratch: ScratchDirectory
    let registry: Registry

    init() throws {
        scratch = try ScratchDirectory()
        registry = try Registry(scratch.path)
    }

    private var directory: RegistryDirectory { registry.directory }

    @discardableResult
    private func put(_ bytes: [UInt8], tag: OCI.Tag? = nil, _ algorithm: Digest.Algorithm = .sha256) throws -> Digest {
        let digest = try Digest.of(bytes, algorithm: algorithm)
        #expect(
            try directory.putManifest(bytes, digest: digest, tags: tag.map { [$0] } ?? [], needing: [], in: repository)
                .isEmpty
        )
        return digest
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `a manifest is where the layout has it`(algorithm: Digest.Algorithm) throws {
        let bytes = Array("{}".utf8)
        let digest = try put(bytes, tag: tag("v1"), algorithm)
        let name = "\(algorithm)/\(digest.hex)"
        let manifests = "repositories/team/app/_manifests"
        let link = Array(digest.description.utf8)
        let expected: [String: [UInt8]] = [
            "blobs/\(algorithm)/\(digest.hex.prefix(2))/\(digest.hex)/data": bytes,
            "\(manifests)/revisions/\(name)/link": link,
            "\(manifests)/tags/v1/current/link": link,
            "\(manifests)/tags/v1/index/\(name)/link": link,
        ]
        let files = try registry.snapshot().compactMapValues(\.self)
        #expect(files == Dictionary(uniqueKeysWithValues: expected.map { ("docker/registry/v2/" + $0.key, $0.value) }))
        // Without it the other registry would not see the repository.
        #expect(scratch.contains("docker/registry/v2/repositories/team/app/_layers"))
        #expect(try directory.repositories() == [repository])
        #expect(try directory.tags(in: repository) == [tag("v1")])
        #expect(try directory.digest(of: tag("v1"), in: repository) == digest)
        #expect(try directory.manifests(in: repository) == [digest])
        #expect(try directory.manifest(digest, in: repository) == bytes)
        // A manifest is no blob of the repository.
        #expect(try directory.blob(digest, in: repository) == nil)
    }

    @Test func `a manifest whose blobs are missing is not stored, and they are named once each`() throws {
        let there = try registry.add([1], repository)
        let elsewhere = try registry.add([2], path("other"))
        let (_, nowhere) = try content(10)
        let before = try registry.snapshot()
        let bytes = Array("{}".utf8)
        let missing = try directory.putManifest(
            bytes,
            digest: Digest.of(bytes),
            tags: [tag("v1")],
            needing: [nowhere, there, elsewhere, nowhere],
            in: repository
        )
        #expect(missing == [nowhere, elsewhere])
        #expect(try registry.snapshot() == before)
    }

    @Test func `bytes that are not what they are put as are refused`() throws {
        let (bytes, actual) = try content(100)
        let (_, expected) = try content(100, seed: 2)
        let error = try #require(throws: DirectoryError.self) {
            try directory.putManifest(bytes, digest: expected, tags: [], needing: [], in: repository)
        }
        #expect(error.code == .wrongDigest(expected: expected, actual: actual))
        #expect(try registry.snapshot().isEmpty)
    }

    @Test func `a manifest of 4 MiB is stored, and one byte more is refused`() throws {
        let (bytes, digest) = try content(4 << 20)
        try put(bytes)
        #expect(try directory.manifest(digest, in: repository) == bytes)
        let more = bytes + [0]
        let error = try #require(throws: DirectoryError.self) { try put(more) }
        #expect(error.code == .tooLarge(byteCount: (4 << 20) + 1, limit: 4 << 20))
        #expect(try directory.manifests(in: repository) == [digest])
    }

    @Test func `putting the same again writes nothing but the tag`() throws {
        let bytes = Array("{}".utf8)
        let digest = try put(bytes, tag: tag("a"))
        func numbers() throws -> [String: Int?] {
            try registry.snapshot().filter { $0.value != nil }.keys.reduce(into: [:]) {
                $0[$1] = try FileManager.default.attributesOfItem(atPath: scratch.path($1))[.systemFileNumber] as? Int
            }
        }
        let before = try numbers()
        try put(bytes, tag: tag("a"))
        #expect(try numbers() == before)
        try put(bytes, tag: tag("b"))
        let after = try numbers()
        #expect(after.filter { before[$0.key] != nil } == before)
        let tags = Set(after.keys).subtracting(before.keys)
        #expect(tags.count == 2 && tags.allSatisfy { $0.contains("/tags/b/") })
        #expect(try directory.digest(of: tag("b"), in: repository) == digest)
    }

    @Test func `a damaged manifest is an error that names the file, and putting it again heals it`() throws {
        let (bytes, digest) = try content(100)
        try put(bytes)
        let (other, actual) = try content(100, seed: 2)
        try registry.oracle.corrupt(digest, with: other)
        let error = try #require(throws: DirectoryError.self) { try directory.manifest(digest, in: repository) }
        #expect(error.code == .damaged(expected: digest, actual: actual))
        #expect(error.path == registry.oracle.blobPath(digest))
        #expect(
            error.description == "reading \(error.path): it is damaged: what should be \(digest) is \(actual)"
        )
        try put(bytes)
        #expect(try directory.manifest(digest, in: repository) == bytes)
    }

    @Test func `a manifest that another program made too large is not read into memory`() throws {
        let (bytes, digest) = try content(100)
        try put(bytes)
        #expect(truncate(registry.oracle.blobPath(digest), 1 << 40) == 0)
        let error = try #require(throws: DirectoryError.self) { try directory.manifest(digest, in: repository) }
        #expect(error.code == .tooLarge(byteCount: 1 << 40, limit: 4 << 20))
    }

    // MARK: - Tags

    @Test func `a tag moves, and its history stays`() throws {
        let first = try put([1], tag: tag("v1"))
        let second = try put([2], tag: tag("v1"))
        #expect(try directory.digest(of: tag("v1"), in: repository) == second)
        #expect(try Set(directory.manifests(in: repository)) == [first, second])
        let history = "docker/registry/v2/repositories/team/app/_manifests/tags/v1/index/sha256"
        #expect(try scratch.names(in: history) == [first, second].map(\.hex).sorted())
    }

    @Test func `tags are sorted by bytes, and those of no repository are nil`() throws {
        for name in ["b", "a", "_", "B", "a.b", "a-b", "latest", "1"] { try put([1], tag: tag(name)) }
        let expected = ["1", "B", "_", "a", "a-b", "a.b", "b", "latest"].map { tag($0) }
        #expect(try directory.tags(in: repository) == expected)
        #expect(try directory.tags(in: path("team")) == nil)
        #expect(try directory.tags(in: path("team/app/more")) == nil)
        try registry.add([1], path("only/blobs"))
        #expect(try directory.tags(in: path("only/blobs")) == [])
    }

    @Test func `a removed tag is gone at once, and the manifest stays`() throws {
        let digest = try put([1], tag: tag("v1"))
        try put([1], tag: tag("v2"))
        #expect(try directory.deleteTag(tag("v1"), in: repository))
        #expect(try directory.digest(of: tag("v1"), in: repository) == nil)
        #expect(try directory.tags(in: repository) == [tag("v2")])
        #expect(try !directory.deleteTag(tag("v1"), in: repository))
        #expect(try directory.manifest(digest, in: repository) == [1])
        // The other registry lists directories.
        #expect(registry.oracle.tags(repository: "team/app") == ["v2"])
        #expect(registry.leftOvers(repository).isEmpty)
        try put([1], tag: tag("v1"))
        #expect(try directory.tags(in: repository) == [tag("v1"), tag("v2")])
    }

    // MARK: - Removing manifests

    @Test func `a removed manifest takes its tags with it, and leaves those of others`() throws {
        let digest = try put([1], tag: tag("one"))
        try put([1], tag: tag("same"))
        try put([1], tag: tag("moved"))
        let other = try put([2], tag: tag("moved"))
        #expect(try directory.deleteManifest(digest, in: repository))
        #expect(try directory.manifest(digest, in: repository) == nil)
        #expect(try directory.manifests(in: repository) == [other])
        #expect(try directory.tags(in: repository) == [tag("moved")])
        #expect(registry.oracle.tags(repository: "team/app") == ["moved"])
        #expect(try registry.oracle.revisions(repository: "team/app") == [other])
        let history = "docker/registry/v2/repositories/team/app/_manifests/tags/moved/index/sha256"
        #expect(try scratch.names(in: history) == [other.hex])
        #expect(try !directory.deleteManifest(digest, in: repository))
        #expect(registry.leftOvers(repository).isEmpty)
        #expect(try put([1], tag: tag("one")) == digest)
        #expect(try directory.manifest(digest, in: repository) == [1])
    }

    @Test func `a manifest whose bytes are gone can be removed`() throws {
        let digest = try put([1], tag: tag("v1"))
        try registry.oracle.removeBlob(digest)
        #expect(try directory.manifests(in: repository).isEmpty)
        #expect(try directory.manifest(digest, in: repository) == nil)
        #expect(try directory.deleteManifest(digest, in: repository))
        #expect(try directory.tags(in: repository) == [])
    }

    @Test func `repositories are sorted by bytes and may lie within each other`() throws {
        let names = ["b", "a", "a/b", "a-b", "a/b/c", "a.b", "z/y/x"]
        for name in names { try registry.add([1], path(name)) }
        let expected = ["a", "a-b", "a.b", "a/b", "a/b/c", "b", "z/y/x"].map { path($0) }
        #expect(try directory.repositories() == expected)
        #expect(registry.oracle.repositories().sorted() == expected.map(\.description))
    }
}
