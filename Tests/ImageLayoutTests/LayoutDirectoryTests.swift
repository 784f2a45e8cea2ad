import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Layouts in directories, as `skopeo copy … oci:DIR` and `umoci` make them.
@Suite struct LayoutDirectoryTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private var path: String { scratch.path("layout") }

    private func images(seed: UInt64 = 1200) throws -> NamedImages {
        var builder = ImageBuilder(seed: seed)
        return NamedImages([
            ("r.example/one:1", try builder.image()), ("r.example/many:1", try builder.multiPlatform(attested: true)),
        ])
    }

    private func write(_ files: [(String, [UInt8])]) throws {
        for (name, bytes) in files { try scratch.write(bytes, to: "layout/\(name)") }
    }

    @Test func `what is in it is read as from a tar file`() throws {
        let images = try images()
        try write(try layoutFiles(images))
        let reader = try LayoutReader(path: path)
        #expect(reader.form == .directory)
        #expect(reader.problems.isEmpty)
        #expect(reader.images.map(\.name) == ["r.example/one:1", "r.example/many:1"])
        #expect(reader.blobs.map(\.digest) == images.images.flatMap(\.image.blobs).map(\.digest).sorted())
        for (digest, content) in try images.allBytes {
            #expect(try reader.bytes(of: digest, limit: content.count) == content)
            let location = try #require(try reader.location(of: digest))
            #expect(location.range == 0..<Int64(content.count))
        }
        #expect(reader.blobTotals.count == reader.blobs.count)
        #expect(reader.blobTotals.byteCount == reader.blobs.reduce(0) { $0 + $1.size })
        for blob in reader.blobs { try reader.verify(blob) }
        #expect(reader.byteCount == Int64(try layoutFiles(images).dropFirst().reduce(0) { $0 + $1.1.count }))
    }

    @Test func `a file that is no blob is nobody's business`() throws {
        try write(try layoutFiles(try images()) + [("README", [1]), ("blobs/sha256/.tmp", [1]), ("blobs/md5/x", [1])])
        let reader = try LayoutReader(path: path)
        #expect(reader.problems.isEmpty)
        #expect(reader.strayBlobs.isEmpty)
    }

    @Test(arguments: ["oci-layout", "index.json"]) func `what lacks a file of a layout is none`(missing: String) throws
    {
        try write(try layoutFiles(try images()).filter { $0.0 != missing })
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(error.code == .notLayout(reason: "it has no \(missing)"))
    }

    @Test func `damage is found as in a tar file`() throws {
        let images = try images()
        let (config, layer) = (try #require(images.images[0].image.config), images.images[0].image.layers[0])
        var files = try layoutFiles(images).filter { $0.0 != blobPath(config.digest) }
        let place = try #require(files.firstIndex { $0.0 == blobPath(layer.digest) })
        files[place].1[0] ^= 1
        try write(files)
        let reader = try LayoutReader(path: path)
        #expect(reader.problems.map(\.code) == [.missing(config.digest)])
        let error = try #require(throws: LayoutError.self) { try reader.verify(layer.descriptor) }
        #expect(error.code.damagedDigest == layer.digest)
    }

    /// A link could lead anywhere, and what is beneath it would be pushed.
    @Test func `a link is not followed`() throws {
        let images = try images()
        let layer = images.images[0].image.layers[0]
        try write(try layoutFiles(images))
        let blob = scratch.path("layout/\(blobPath(layer.digest))")
        try FileManager.default.moveItem(atPath: blob, toPath: scratch.path("elsewhere"))
        try FileManager.default.createSymbolicLink(atPath: blob, withDestinationPath: scratch.path("elsewhere"))
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(error.code == .unsupportedEntry(kind: "a symbolic link"))
        #expect(error.entry == blobPath(layer.digest))
    }

    @Test func `a blob that is replaced after the layout was opened is not read`() throws {
        let images = try images()
        let layer = images.images[0].image.layers[0]
        try write(try layoutFiles(images))
        let reader = try LayoutReader(path: path)
        let blob = scratch.path("layout/\(blobPath(layer.digest))")
        try Data([1]).write(to: URL(fileURLWithPath: blob))
        let error = try #require(throws: LayoutError.self) { try reader.location(of: layer.digest) }
        #expect(error.code == .wrongSize(layer.digest, expected: layer.descriptor.size, actual: 1))
        try FileManager.default.removeItem(atPath: blob)
        let missing = try #require(throws: LayoutError.self) { try reader.location(of: layer.digest) }
        #expect(missing.code == .missing(layer.digest))
    }

    @Test func `nothing in it can be put right in its place`() throws {
        try write(try layoutFiles(try images()))
        let error = try #require(throws: LayoutError.self) { try LayoutRepair(path: path) }
        #expect(error.code == .notRepairable(reason: "it is a directory"))
    }
}
