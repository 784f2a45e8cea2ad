import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What an archive is taken for.
@Suite struct LayoutFormTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func entries(_ tar: DockerTar) throws -> LayoutEntries {
        let path = try scratch.write(tar.bytes, to: "x.tar")
        return try LayoutEntries(
            of: OpenFile(descriptor: open(path, O_RDONLY | O_CLOEXEC), path: path, operation: .reading)
        )
    }

    private static let files = [
        "oci-layout": #"{"imageLayoutVersion":"1.0.0"}"#, "index.json": #"{"manifests":[{}]}"#,
        "manifest.json": "[]", "repositories": "{}",
    ]

    private func tar(_ names: [String]) -> DockerTar {
        var tar = DockerTar()
        for name in names { tar.add(name, Self.files[name] ?? "") }
        return tar
    }

    @Test(arguments: [
        (["oci-layout", "index.json"], false), (["manifest.json", "oci-layout", "index.json", "repositories"], false),
        (["manifest.json"], true), (["repositories"], true), (["repositories", "manifest.json"], true),
        (["oci-layout", "manifest.json"], true), (["index.json", "manifest.json"], true),
    ])
    func `a layout is told from an archive of Docker`(names: [String], isDocker: Bool) throws {
        #expect(try (entries(tar(names)).docker != nil) == isDocker)
        #expect(try (entries(tar(names.reversed())).docker != nil) == isDocker)
    }

    @Test(arguments: [
        ([], "it has no files"), (["index.json"], "it has index.json"),
        (["etc/\u{1b}x", "b", "c"], "it has etc/\\u{1B}x and 2 more"),
    ])
    func `what is neither is told what is there instead`(names: [String], found: String) throws {
        let error = try #require(throws: LayoutError.self) { try entries(tar(names)) }
        let expected = "it has neither oci-layout nor the manifest.json of docker save; "
        #expect(error.code == .notLayout(reason: expected + found))
        #expect(error.path == scratch.path("x.tar"))
    }

    /// As Docker 25 wrote it for an image that was named by its digest.
    @Test(arguments: ["null", "[]"])
    func `the list counts where the index is empty`(manifests: String) throws {
        let image = try DockerParts.archive([("blobs/sha256/x", DockerParts.layer(1))], tags: nil)
        var tar = tar(["oci-layout"])
        tar.add("index.json", #"{"schemaVersion":2,"manifests":\#(manifests)}"#)
        tar.entries += image.entries
        let archive = try scratch.docker(tar)
        #expect(archive.names == [nil])
        #expect(try archive.manifest().layers.map(\.digest) == [Digest.of(DockerParts.layer(1))])
        tar.entries.removeLast()
        #expect(try entries(tar).docker == nil)
    }

    @Test func `a layout has no links, though an archive of Docker may`() throws {
        var both = tar(["oci-layout", "index.json", "manifest.json"])
        both.add("blobs/x", link: "../manifest.json")
        let error = try #require(throws: LayoutError.self) { try entries(both) }
        #expect(error.code == .unsupportedEntry(kind: "a symbolic link"))
        #expect(error.entry == "blobs/x")
        both.entries.removeFirst()
        #expect(try entries(both).docker != nil)
    }
}
