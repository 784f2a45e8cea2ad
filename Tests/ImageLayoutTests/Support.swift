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
        let annotations = names ? #","annotations":{"org.opencontainers.image.ref.name":"\#(name)"}"# : ""
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

/// A file system that is mounted for a test.
final class Mount {
    let path: String

    /// Whether mounting is possible here: for root only, and not in every container.
    static let isPossible: Bool = {
        guard geteuid() == 0, let scratch = try? ScratchDirectory() else { return false }
        return (try? Mount(at: scratch.path, ["-t", "tmpfs", "-o", "size=64k", "none"])) != nil
    }()

    /// Whether a file with a file system in it can be mounted.
    static let isPossibleOfImages: Bool = {
        guard isPossible, let scratch = try? ScratchDirectory() else { return false }
        return (try? Mount.image(in: scratch, byteCount: 1 << 20, ["mkfs.ext2", "-q"])) != nil
    }()

    init(at path: String, _ arguments: [String]) throws {
        self.path = path
        try Command("mount", arguments + [path]).check()
    }

    deinit { _ = try? Command("umount", [path]).check() }

    /// Makes a file system in a sparse file and mounts it.
    static func image(in scratch: ScratchDirectory, byteCount: Int64, _ make: [String]) throws -> Mount {
        let file = scratch.path("image")
        try Command("truncate", ["-s", "\(byteCount)", file]).check()
        try Command(make[0], make.dropFirst() + [file]).check()
        let directory = scratch.path("mounted")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return try Mount(at: directory, ["-o", "loop", file])
    }

    /// How many bytes of the file system are in use.
    var usedByteCount: Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return -1 }
        return Int64((status.f_blocks - status.f_bfree) * status.f_frsize)
    }
}
