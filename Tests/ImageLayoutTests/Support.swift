import Foundation
import ImageLayout
import OCI
import TestSupport
import Testing

extension Testing.Tag {
    /// Runs programs of others on what we write, or needs the system to mount something.
    @Tag static var interop: Self
}

/// Images that a test made, under their names.
struct NamedImages {
    var images: [(name: String, image: TestImage)]

    init(_ images: [(String, TestImage)]) { self.images = images.map { ($0.0, $0.1) } }

    var layoutImages: [LayoutImage] { images.map { LayoutImage(name: $0.name, descriptor: $0.image.top) } }

    /// Every document of every image.
    var documents: [Digest: Document] {
        get throws {
            var result: [Digest: Document] = [:]
            for document in images.flatMap(\.image.documents) {
                let algorithm = document.digest.algorithm
                result[document.digest] = try Document(
                    bytes: document.bytes,
                    declaredType: document.mediaType,
                    algorithm: algorithm
                )
            }
            return result
        }
    }

    var plan: LayoutPlan {
        get throws { try LayoutPlan(images: layoutImages, documents: documents) }
    }

    /// All content by digest.
    var allBytes: [Digest: [UInt8]] {
        get throws {
            try images.reduce(into: [:]) { $0.merge(try $1.image.allBytes) { first, _ in first } }
        }
    }

    /// Writes the bundle.
    func write(to path: String) throws {
        let plan = try plan
        let writer = try LayoutWriter(plan: plan, path: path, replaceExisting: false)
        try fill(writer, plan)
        try writer.seal()
    }

    /// Writes every blob in one piece.
    func fill(_ writer: LayoutWriter, _ plan: LayoutPlan) throws {
        let bytes = try allBytes
        for blob in plan.blobs {
            try writer.slot(for: blob).write(try #require(bytes[blob.descriptor.digest]), at: 0)
        }
    }
}

extension LayoutSlot {
    func write(_ bytes: [UInt8], at offset: Int64) throws {
        try bytes.withUnsafeBytes { try write($0, at: offset) }
    }
}

/// A bundle's bytes, put together by hand from the content that it is to have.
func handmadeBundle(_ files: [(String, [UInt8])]) -> [UInt8] {
    TarBytes.archive(files.map { TarBytes.File($0.0, $0.1) })
}

/// The files of a valid layout: the markers, then every blob.
func layoutFiles(_ images: NamedImages, names: Bool = true) throws -> [(String, [UInt8])] {
    let entries = images.images.map { name, image in
        let both = #""org.opencontainers.image.ref.name":"\#(name)","io.containerd.image.name":"\#(name)""#
        let annotations = names ? #","annotations":{\#(both)}"# : ""
        let top = image.top
        return #"{"mediaType":"\#(top.mediaType)","digest":"\#(top.digest)","size":\#(top.size)\#(annotations)}"#
    }
    let index = #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#
    let blobs = try images.allBytes.sorted { $0.key < $1.key }.map { (blobPath($0.key), $0.value) }
    return [("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)), ("index.json", Array(index.utf8))] + blobs
}

func blobPath(_ digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

/// The bytes of a range of a file.
func bytes(of path: String, in range: Range<Int64>) throws -> [UInt8] {
    let handle = try #require(FileHandle(forReadingAtPath: path))
    try handle.seek(toOffset: UInt64(range.lowerBound))
    return Array(try handle.read(upToCount: range.count) ?? Data())
}
