import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Layouts that other programs wrote, or that somebody made to do harm.
@Suite struct ForeignLayoutTests {
    private let workshop: Workshop
    private let target: EmbeddedRegistry

    init() async throws {
        workshop = try Workshop()
        target = try await EmbeddedRegistry()
    }

    /// Writes a layout whose index has the entries given, and the documents.
    private func write(_ entries: [String], _ documents: [TestDocument] = [], _ blobs: [TestBlob] = []) throws {
        var files = [
            TarBytes.File("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            TarBytes.File(
                "index.json",
                Array(#"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#.utf8)
            ),
        ]
        files += documents.map { TarBytes.File("blobs/sha256/\($0.digest.hex)", $0.bytes) }
        files += try blobs.map { TarBytes.File("blobs/sha256/\($0.digest.hex)", try $0.bytes) }
        try workshop.scratch.write(TarBytes.archive(files), to: "bundle.tar")
    }

    private func entry(_ document: TestDocument, name: String?) -> String {
        let annotations = name.map { #","annotations":{"org.opencontainers.image.ref.name":"\#($0)"}"# } ?? ""
        return """
            {"mediaType":"\(document.mediaType)","digest":"\(document.digest)","size":\(document.bytes.count)\
            \(annotations)}
            """
    }

    @Test(arguments: ["latest", "3.20"])
    func `a bare tag is not taken for a repository`(name: String) async throws {
        var builder = ImageBuilder(seed: 330)
        let image = try builder.image()
        try write([entry(image.document, name: name)], image.documents, image.blobs)
        let error = await #expect(throws: DrayageError.self) { try await workshop.push(to: target.address) }
        #expect(
            error?.description == """
                \(workshop.path()): the image "\(name)" has a tag for a name and no repository; --name says which it is
                """
        )
        #expect(try await target.finish() == [])
    }

    @Test func `a layout without names cannot be pushed, nor found in a registry`() async throws {
        var builder = ImageBuilder(seed: 331)
        let image = try builder.image()
        try write([entry(image.document, name: nil)], image.documents, image.blobs)
        let pushing = await #expect(throws: DrayageError.self) { try await workshop.push(to: target.address) }
        let checking = await #expect(throws: DrayageError.self) { try await workshop.verify(at: target.address) }
        for error in [pushing, checking] {
            #expect(error?.description.contains("holds no image with a name") == true)
        }
        #expect(try await workshop.verify().outcome == .done)
    }

    @Test func `entries without a name are counted beside those that have one`() async throws {
        var builder = ImageBuilder(seed: 332)
        let (named, other) = (try builder.image(), try builder.image())
        try write(
            [entry(named.document, name: "app:1"), entry(other.document, name: nil)],
            named.documents + other.documents,
            named.blobs + other.blobs
        )
        let report = try await workshop.push(to: target.address)
        #expect(report.unnamedCount == 1)
        #expect(report.images.map(\.target) == ["\(target.address)/library/app:1"])
    }

    @Test func `sizes beyond any file are damage, not the end of the process`() async throws {
        let digest = try Digest.of([UInt8]("nothing".utf8))
        let layer = """
            {"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"\(digest)","size":9223372036854775807}
            """
        let other = layer.replacing("\(digest)", with: "\(try Digest.of([UInt8]("else".utf8)))")
        let text = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":\(layer),\
            "layers":[\(layer),\(other)]}
            """
        let document = try TestDocument(bytes: Array(text.utf8), mediaType: .ociManifest)
        try write([entry(document, name: "app:1")], [document])
        let report = try await workshop.verify()
        #expect(report.exitStatus == .unverified)
        #expect(report.failures.count == 2)
        #expect(report.images.map(\.byteCount) == [.max])
    }

    @Test func `a blob that nothing refers to is verified too`() async throws {
        var builder = ImageBuilder(seed: 333)
        let image = try builder.image()
        let stray = try builder.layer()
        try write([entry(image.document, name: "app:1")], image.documents, image.blobs + [stray])
        #expect(try await workshop.verify().totals?.blobCount == image.blobs.count + 1)
        var bytes = try workshop.scratch.read("bundle.tar")
        let place = try #require(TarBytes.entries(of: bytes).first { $0.path.hasSuffix(stray.digest.hex) })
        bytes[place.range.lowerBound] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        let report = try await workshop.verify()
        #expect(report.failures.map(\.subject) == [stray.digest.description])
        #expect(report.images.map(\.status) == [.verified])
    }
}
