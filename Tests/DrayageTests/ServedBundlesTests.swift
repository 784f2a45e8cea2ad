import Foundation
import ImageLayout
import RegistryDirectory
import RegistryServer
import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

/// Bundles under the names that a push would give.
@Suite struct ServedBundlesTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    /// A repository's path at its source, and the prefix that it gets.
    private func sources() throws -> [Repository] {
        try [
            "docker.io/library/alpine", "quay.io/a/b/c", "localhost:5000/a", "[fd00::1:2]:443/a/b", "a-b.c--d/x",
            "registry.k8s.io/pause",
        ].map { try Reference(parsing: $0).repository }
    }

    @Test(arguments: [nil, "mirror", "mirror/x"], [false, true])
    func `a name is served as a push maps it`(prefix: String?, keepsHost: Bool) throws {
        let target = try RegistryTarget(parsing: "site:5000" + (prefix.map { "/" + $0 } ?? ""))
        let pushing = NameMapping(target: target, keepsHost: keepsHost)
        let serving = try PathMapping(prefix: prefix, keepsHost: keepsHost)
        for source in try sources() {
            #expect(try serving.path(for: source).description == pushing.repository(for: source).path)
        }
    }

    @Test func `what a push cannot name cannot be served`() throws {
        let upper = try Reference(parsing: "Registry.Site/a").repository
        let error = #expect(throws: DrayageError.self) { try PathMapping(keepsHost: true).path(for: upper) }
        #expect(error?.code == .usage)
        #expect(try PathMapping().path(for: upper).description == "a")
        let long = try Reference(parsing: "r.io/" + String(repeating: "a", count: 200)).repository
        let tooLong = #expect(throws: DrayageError.self) {
            try PathMapping(prefix: String(repeating: "b", count: 100)).path(for: long)
        }
        #expect(tooLong?.message == "naming \(long)")
        #expect((tooLong?.underlying as? ReferenceError)?.code == .nameTooLong)
        for prefix in ["", "/", "a/", "/a", "A", "a:1", "../a", "a//b"] {
            let error = #expect(throws: DrayageError.self) { try PathMapping(prefix: prefix) }
            #expect(error?.code == .usage)
        }
    }

    @Test(arguments: [false, true])
    func `a bundle serves what a push of it sends, under the same names`(keepsHost: Bool) async throws {
        let (one, other) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let target = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 940)
        let images = [try builder.multiPlatform(), try builder.image(), try builder.image()]
        let names = [
            try one.add(images[0], "app"), try one.add(images[1], "a/b", tag: "x"),
            try other.add(images[2], "app", tag: "2"),
        ]
        _ = try await workshop.bundle(names)
        #expect(try await workshop.push(to: target.address + "/p", keepHost: keepsHost).outcome == .done)
        let bundles = try BundleContent(
            opening: [workshop.path()],
            mapping: PathMapping(prefix: "p", keepsHost: keepsHost)
        )
        let store = bundles.store(forNamespace: nil)
        #expect(try store.repositories().map(\.description) == target.storage.repositories())
        for repository in try store.repositories() {
            let name = repository.description
            for tag in try #require(try store.tags(in: repository)) {
                let digest = try #require(try store.digest(of: tag, in: repository))
                #expect(try target.storage.digest(ofTag: tag.description, repository: name) == digest)
            }
            for digest in try store.manifests(in: repository) {
                let bytes = try store.manifest(digest, in: repository)
                #expect(try target.storage.revisions(repository: name).contains(digest))
                #expect(try bytes == target.storage.bytes(digest))
            }
        }
        for image in images {
            for (digest, bytes) in try image.allBytes {
                let holders = try store.repositories().filter {
                    try store.manifest(digest, in: $0) != nil || store.blob(digest, in: $0) != nil
                }
                #expect(!holders.isEmpty)
                for holder in holders where image.blobs.contains(where: { $0.digest == digest }) {
                    #expect(target.storage.hasBlob(digest, repository: holder.description))
                    #expect(try target.storage.bytes(digest) == bytes)
                    #expect(try store.blob(digest, in: holder)?.byteCount == Int64(bytes.count))
                }
            }
        }
        // Each is there for who names its source, as well.
        for (source, image) in [(one, images[0]), (other, images[2])] {
            let own = bundles.store(forNamespace: source.address)
            #expect(try own.manifest(image.digest, in: RepositoryPath(parsing: "app")) == image.document.bytes)
        }
    }

    @Test func `two sources with one name are refused, unless hosts are kept`() async throws {
        let (one, other) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 941)
        let names = [try one.add(builder.image(), "app"), try other.add(builder.image(), "app")]
        _ = try await workshop.bundle(names)
        let error = #expect(throws: DrayageError.self) {
            try BundleContent(opening: [workshop.path()], mapping: PathMapping())
        }
        #expect(error?.code == .nameCollision)
        let text = try #require(error?.description)
        #expect(names.allSatisfy(text.contains))
        #expect(text.hasSuffix(" would both be served as app:1; --keep-host keeps them apart"))
        let both = try BundleContent(opening: [workshop.path()], mapping: PathMapping(keepsHost: true))
        #expect(try both.store(forNamespace: nil).repositories().count == 2)
    }

    @Test func `an old and a new bundle of one name are not told to keep the host`() async throws {
        let source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 942)
        for file in ["old.tar", "new.tar"] {
            _ = try await workshop.bundle([source.add(try builder.image(), "app")], to: file)
        }
        let paths = ["old.tar", "new.tar"].map(workshop.path)
        let error = #expect(throws: DrayageError.self) {
            try BundleContent(opening: paths, mapping: PathMapping())
        }
        #expect(error?.code == .nameCollision)
        let text = try #require(error?.description)
        #expect(paths.allSatisfy(text.contains))
        #expect(text.hasSuffix(" would both be served as app:1"))
    }

    /// What a push refuses is refused with the same code and exit code.
    @Test(arguments: ["a damaged bundle", "a bare tag", "no names", "no reference", "no bundle", "no file"])
    func `a bundle that cannot be pushed cannot be served`(fault: String) async throws {
        var builder = ImageBuilder(seed: 943)
        let image = try builder.image()
        let names = ["a bare tag": "3.20", "no reference": "quay.io/App:1"]
        let name = fault == "no names" ? nil : names[fault] ?? "quay.io/app:1"
        let annotations = name.map { #","annotations":{"org.opencontainers.image.ref.name":"\#($0)"}"# } ?? ""
        let entry = """
            {"mediaType":"\(image.top.mediaType)","digest":"\(image.digest)","size":\(image.top.size)\(annotations)}
            """
        var files = [
            TarBytes.File("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            TarBytes.File("index.json", Array(#"{"schemaVersion":2,"manifests":[\#(entry)]}"#.utf8)),
        ]
        files += try image.allBytes.sorted { $0.key < $1.key }.map {
            TarBytes.File("blobs/sha256/\($0.key.hex)", $0.value)
        }
        if fault == "a damaged bundle" { files.removeLast() }
        let bytes = fault == "no bundle" ? Array("no tar at all".utf8) : TarBytes.archive(files)
        if fault != "no file" { try workshop.scratch.write(bytes, to: "bundle.tar") }
        let pushing = await #expect(throws: (any Error).self) { try await workshop.push(to: "127.0.0.1:9") }
        let serving = #expect(throws: (any Error).self) {
            try BundleContent(opening: [workshop.path()], mapping: PathMapping())
        }
        #expect((serving as? DrayageError)?.code == (pushing as? DrayageError)?.code)
        #expect(serving.map { ExitStatus(of: $0) } == pushing.map { ExitStatus(of: $0) })
        let text = "\(try #require(serving))"
        #expect(text.replacing("to serve it under", with: "to give it") == "\(try #require(pushing))")
    }

    @Test func `what is served is read-only`() async throws {
        let source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 944)
        _ = try await workshop.bundle([source.add(try builder.image(), "app")])
        #expect(try ServedContent.bundles([workshop.path()], mapping: PathMapping()).isReadOnly)
        #expect(try workshop.scratch.names() == ["bundle.tar"])
    }

    @Test func `no bundle at all is a wrong call`() {
        let error = #expect(throws: DrayageError.self) {
            try BundleContent(opening: [], mapping: PathMapping())
        }
        #expect(error?.code == .usage)
    }
}
