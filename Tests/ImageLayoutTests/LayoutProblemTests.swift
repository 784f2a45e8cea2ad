import Foundation
import OCI
import Testing

@testable import ImageLayout
@testable import TestSupport

/// Bundles that open, and in which something is missing or damaged.
@Suite struct LayoutProblemTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func reader(of files: [(String, [UInt8])]) throws -> LayoutReader {
        try LayoutReader(path: scratch.write(handmadeBundle(files), to: "bundle.tar"))
    }

    /// Three images that share a layer, one of them for two platforms.
    private func images() throws -> (NamedImages, shared: TestBlob) {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer()
        let images = try NamedImages([
            ("r.example/a:1", builder.image(layers: [shared])),
            ("r.example/b:1", builder.multiPlatform(sharing: [shared])), ("r.example/c:1", builder.image()),
        ])
        return (images, shared)
    }

    /// An index of these children, whether they are there or not.
    private func index(_ children: [Descriptor]) throws -> TestDocument {
        let entries = children.map {
            #"{"mediaType":"\#($0.mediaType)","digest":"\#($0.digest)","size":\#($0.size)}"#
        }
        let json = #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#
        return try TestDocument(bytes: Array(json.utf8), mediaType: .ociIndex)
    }

    @Test func `a missing blob is named with the images that need it`() throws {
        let (images, shared) = try images()
        let reader = try reader(of: layoutFiles(images).filter { $0.0 != blobPath(shared.digest) })
        #expect(reader.problems.map(\.code) == [.missing(shared.digest)])
        let problem = try #require(reader.problems.first)
        #expect(problem.images == ["r.example/a:1", "r.example/b:1"])
        #expect(problem.isContentDamage)
        #expect(
            problem.description
                == "reading \(reader.path): \(shared.digest) is missing, needed by r.example/a:1 and 1 more"
        )
        #expect(reader.images.count == 3)
        #expect(reader.range(of: shared.digest) == nil)
        #expect(!reader.blobs.contains { $0.digest == shared.digest })
        #expect(throws: LayoutError.self) { try reader.verify(shared.descriptor) }
        #expect(throws: LayoutError.self) { try reader.bytes(of: shared.digest, limit: 1 << 20) }
        let users = try reader.images(needing: [shared.digest])
        #expect(users == [shared.digest: ["r.example/a:1", "r.example/b:1"]])
    }

    @Test func `a blob of another size is named with both`() throws {
        let (images, shared) = try images()
        let files = try layoutFiles(images).map { $0.0 == blobPath(shared.digest) ? ($0.0, $0.1 + [0]) : $0 }
        let reader = try reader(of: files)
        let size = shared.descriptor.size
        #expect(reader.problems.map(\.code) == [.wrongSize(shared.digest, expected: size, actual: size + 1)])
        let error = try #require(throws: LayoutError.self) { try reader.verify(shared.descriptor) }
        #expect(error.code == .wrongSize(shared.digest, expected: size, actual: size + 1))
        // It has been told; it is not to be told twice.
        #expect(!reader.blobs.contains { $0.digest == shared.digest })
    }

    @Test func `a damaged blob is found when it is verified`() throws {
        let (images, shared) = try images()
        var damaged = try shared.bytes
        damaged[7] ^= 1
        let reader = try reader(of: layoutFiles(images).map { $0.0 == blobPath(shared.digest) ? ($0.0, damaged) : $0 })
        #expect(reader.problems.isEmpty)
        let actual = try Digest.of(damaged)
        let error = try #require(throws: LayoutError.self) { try reader.verify(shared.descriptor) }
        #expect(error.code == .wrongDigest(expected: shared.digest, actual: actual))
        #expect(error.description == "reading \(reader.path): what should be \(shared.digest) is \(actual)")
        let small = try #require(throws: LayoutError.self) { try reader.bytes(of: shared.digest, limit: 1 << 20) }
        #expect(small.code == .wrongDigest(expected: shared.digest, actual: actual))
    }

    @Test func `all damaged and missing manifests are reported together`() throws {
        let (images, _) = try images()
        let index = images.images[1].image
        let gone = index.children[0].digest
        let bent = index.children[1]
        var bytes = bent.document.bytes
        // The size stays and so does the JSON.
        bytes[try #require(bytes.firstIndex(of: UInt8(ascii: "a")))] = UInt8(ascii: "b")
        let broken = images.images[2].image.digest
        let files = try layoutFiles(images).filter { $0.0 != blobPath(gone) }.map { path, content in
            switch path {
            case blobPath(bent.digest): (path, bytes)
            case blobPath(broken): (path, [UInt8](repeating: 0, count: content.count))
            default: (path, content)
            }
        }
        let reader = try reader(of: files)
        let zeros = [UInt8](repeating: 0, count: Int(images.images[2].image.top.size))
        #expect(
            reader.problems.map(\.code) == [
                .missing(gone), .wrongDigest(expected: bent.digest, actual: try Digest.of(bytes)),
                .wrongDigest(expected: broken, actual: try Digest.of(zeros)),
            ]
        )
        #expect(reader.problems.map(\.images) == [["r.example/b:1"], ["r.example/b:1"], ["r.example/c:1"]])
        #expect(Set(reader.documents.keys) == [images.images[0].image.digest, index.digest])
    }

    @Test func `a manifest that cannot be carried is a problem`() throws {
        let schema1 = Array(#"{"schemaVersion":1,"name":"x"}"#.utf8)
        let document = try TestDocument(bytes: schema1, mediaType: .ociManifest)
        let image = TestImage(document: document, children: [], config: nil, layers: [], platform: nil)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/old:1", image)])))
        #expect(reader.problems.map(\.code) == [.invalidDocument(document.digest, DocumentError(.schema1))])
        #expect(reader.problems.first?.images == ["r.example/old:1"])
    }

    @Test func `a manifest beyond the limit is a problem and is not read`() throws {
        let bytes =
            Array(#"{"schemaVersion":2,"x":""#.utf8) + [UInt8](repeating: 32, count: 4 << 20) + Array("\"}".utf8)
        let document = try TestDocument(bytes: bytes, mediaType: .ociManifest)
        let image = TestImage(document: document, children: [], config: nil, layers: [], platform: nil)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", image)])))
        let cause = DocumentError(.tooLarge(byteCount: bytes.count))
        #expect(reader.problems.map(\.code) == [.invalidDocument(document.digest, cause)])
    }

    @Test(arguments: [(8, false), (9, true), (30, true)])
    func `indexes may be nested eight deep`(levels: Int, isTooDeep: Bool) throws {
        var builder = ImageBuilder(seed: 4)
        let images = try NamedImages([("r.example/deep:1", builder.nestedIndex(levels: levels))])
        let reader = try reader(of: layoutFiles(images))
        let codes = reader.problems.map(\.code)
        guard isTooDeep else {
            #expect(codes.isEmpty)
            return
        }
        let ninth = (1..<9).reduce(images.images[0].image) { image, _ in image.children[0] }
        #expect(codes == [.invalidDocument(ninth.digest, DocumentError(.nestedTooDeep))])
    }

    @Test func `an image may have ten thousand manifests beneath it, in all its indexes together`() throws {
        // Two indexes of 5,001 children each, which are not there: one problem says why the rest was not looked at.
        let lists = try (0..<2).map { list in
            try index(
                (0..<5001).map { number in
                    let digest = try Digest.of("\(list) \(number)".utf8)
                    return Descriptor(mediaType: .ociManifest, digest: digest, size: 1)
                }
            )
        }
        let top = try index(lists.map(\.descriptor))
        let children = lists.map { TestImage(document: $0, children: [], config: nil, layers: [], platform: nil) }
        let image = TestImage(document: top, children: children, config: nil, layers: [], platform: nil)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/wide:1", image)])))
        #expect(reader.problems.last?.code == .tooManyDocuments(top.digest, limit: 10_000))
        #expect(reader.problems.last?.images == ["r.example/wide:1"])
    }

    @Test func `a document that was refused for one image is not there for another`() throws {
        var builder = ImageBuilder(seed: 12)
        let image = try builder.image()
        let wrong = Descriptor(mediaType: .dockerManifest, digest: image.digest, size: image.top.size)
        let list = TestImage(document: try index([wrong]), children: [], config: nil, layers: [], platform: nil)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", list), ("r.example/b:1", image)])))
        let error = DocumentError(.typesDisagree(declared: .dockerManifest, own: .ociManifest))
        #expect(reader.problems.map(\.code) == [.invalidDocument(image.digest, error)])
        #expect(reader.problems.first?.images == ["r.example/a:1", "r.example/b:1"])
        #expect(reader.documents[image.digest] == nil)
    }

    @Test(arguments: [false, true])
    func `what images have beneath them is counted for each of them`(isDamaged: Bool) throws {
        var builder = ImageBuilder(seed: 11)
        let image = try builder.image()
        let files = try layoutFiles(NamedImages([("r.example/a:1", image), ("r.example/b:1", image)]))
            .filter { !isDamaged || $0.0 != blobPath(image.layers[0].digest) }
        let path = try scratch.write(handmadeBundle(files), to: "bundle.tar")
        // The manifest, the config and the layers.
        let limit = 2 * (2 + image.layers.count)
        #expect(try LayoutReader(path: path, partLimit: limit).problems.isEmpty == !isDamaged)
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path, partLimit: limit - 1) }
        #expect(error.code == .tooManyParts(limit: limit - 1))
        #expect(!error.isContentDamage)
        let reason = "its images have more than \(limit - 1) manifests and blobs, each counted for each image"
        #expect(error.description == "reading \(path): \(reason)")
    }

    @Test func `a name with two images is a problem`() throws {
        var builder = ImageBuilder(seed: 5)
        let (one, other) = (try builder.image(), try builder.image())
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", one), ("r.example/a:1", other)])))
        #expect(reader.problems.map(\.code) == [.conflictingNames("r.example/a:1", one.digest, other.digest)])
        #expect(reader.problems.first?.isContentDamage == true)
    }

    @Test func `an image without a name is known by its digest`() throws {
        var builder = ImageBuilder(seed: 6)
        let image = try builder.image()
        let files = try layoutFiles(NamedImages([("x", image)]), names: false)
        let reader = try reader(of: files.filter { $0.0 != blobPath(image.layers[0].digest) })
        #expect(reader.problems.first?.images == [image.digest.description])
        #expect(reader.unnamed.map(\.digest) == [image.digest])
    }

    @Test func `verifying stops when it is cancelled`() throws {
        var builder = ImageBuilder(seed: 7)
        let layer = try builder.opaqueLayer(byteCount: 3 << 20)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", builder.image(layers: [layer]))])))
        var pieces = 0
        #expect(throws: CancellationError.self) {
            try reader.verify(layer.descriptor) { byteCount in
                #expect(byteCount == 1 << 20)
                pieces += 1
                if pieces == 2 { throw CancellationError() }
            }
        }
        #expect(pieces == 2)
        try reader.verify(layer.descriptor)
    }

    @Test func `a file that becomes shorter while it is read is damaged`() throws {
        var builder = ImageBuilder(seed: 8)
        let layer = try builder.layer()
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", builder.image(layers: [layer]))])))
        #expect(truncate(reader.path, 600) == 0)
        let error = try #require(throws: LayoutError.self) { try reader.verify(layer.descriptor) }
        let range = try #require(reader.range(of: layer.digest))
        #expect(error.code == .endsEarly(at: range.lowerBound))
        #expect(error.isContentDamage)
    }

    @Test func `a blob beyond the caller's limit is refused`() throws {
        var builder = ImageBuilder(seed: 9)
        let layer = try builder.opaqueLayer(byteCount: 2000)
        let reader = try reader(of: layoutFiles(NamedImages([("r.example/a:1", builder.image(layers: [layer]))])))
        let error = try #require(throws: LayoutError.self) { try reader.bytes(of: layer.digest, limit: 1999) }
        #expect(error.code == .tooManyBytes(2000, limit: 1999))
        #expect(error.entry == blobPath(layer.digest))
    }

    @Test func `control characters from outside are not printed`() throws {
        var builder = ImageBuilder(seed: 10)
        let image = try builder.image()
        let files = try layoutFiles(NamedImages([(#"evil\u001b[2Jname"#, image)]))
        let reader = try reader(of: files.filter { $0.0 != blobPath(image.layers[0].digest) })
        #expect(reader.images.first?.name == "evil\u{1b}[2Jname")
        let text = try #require(reader.problems.first).description
        #expect(!text.contains("\u{1b}"))
        #expect(text.hasSuffix(#"needed by evil\u{1B}[2Jname"#))
        let error = try #require(throws: LayoutError.self) { try self.reader(of: files + [("../\u{7}", [])]) }
        #expect(error.description.contains(#"entry ../\u{07}: the path leads out"#))
    }
}
