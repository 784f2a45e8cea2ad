import Foundation
import ImageLayout
import OCI
import RegistryDirectory
import RegistryServer
import TestSupport
import Testing

/// Makes bundles in a directory of their own.
struct TestBundle {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// Writes a bundle as Drayage does, and opens it.
    func write(_ images: [(name: String, image: TestImage)], to file: String = "bundle.tar") throws -> LayoutReader {
        var documents: [Digest: Document] = [:]
        var bytes: [Digest: [UInt8]] = [:]
        for image in images.map(\.image) {
            for document in image.documents {
                documents[document.digest] = try Document(
                    bytes: document.bytes,
                    declaredType: document.mediaType,
                    algorithm: document.digest.algorithm
                )
            }
            bytes.merge(try image.allBytes) { first, _ in first }
        }
        let plan = try LayoutPlan(
            images: images.map { LayoutImage(name: $0.name, descriptor: $0.image.top) },
            documents: documents
        )
        let writer = try LayoutWriter(plan: plan, path: scratch.path(file), replaceExisting: false)
        for blob in plan.blobs {
            let content = try #require(bytes[blob.descriptor.digest])
            try content.withUnsafeBytes { try writer.slot(for: blob).write($0, at: 0) }
        }
        try writer.seal()
        return try LayoutReader(path: scratch.path(file))
    }

    /// Writes a bundle by hand, whose index has these images with these annotations, and opens it.
    ///
    /// What is left out is missing from it.
    func write(
        entries: [(image: TestImage, annotations: [String: String])],
        to file: String = "bundle.tar",
        leavingOut missing: [Digest] = []
    ) throws -> LayoutReader {
        let index = try entries.map { image, annotations in
            let text = String(decoding: try JSONEncoder().encode(annotations), as: UTF8.self)
            let top = image.top
            return """
                {"mediaType":"\(top.mediaType)","digest":"\(top.digest)","size":\(top.size),"annotations":\(text)}
                """
        }
        var bytes: [Digest: [UInt8]] = [:]
        for image in entries.map(\.image) { bytes.merge(try image.allBytes) { first, _ in first } }
        var files = [
            TarBytes.File("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            TarBytes.File(
                "index.json",
                Array(#"{"schemaVersion":2,"manifests":[\#(index.joined(separator: ","))]}"#.utf8)
            ),
        ]
        files += bytes.filter { !missing.contains($0.key) }.map {
            TarBytes.File("blobs/\($0.key.algorithm.rawValue)/\($0.key.hex)", $0.value)
        }
        try scratch.write(TarBytes.archive(files), to: file)
        return try LayoutReader(path: scratch.path(file))
    }
}

/// The annotations of an image with a name.
func named(_ name: String) -> [String: String] { ["org.opencontainers.image.ref.name": name] }

/// Names as a push has them: without the host.
func withoutHost(_ repository: Repository) throws -> RepositoryPath { try RepositoryPath(parsing: repository.path) }

func path(_ text: String) throws -> RepositoryPath { try RepositoryPath(parsing: text) }

extension OpenBlob {
    /// All of it.
    var bytes: [UInt8] {
        var buffer = [UInt8](repeating: 0, count: Int(byteCount))
        let count = pread(descriptor, &buffer, buffer.count, Int(offset))
        return count == buffer.count ? buffer : []
    }
}

/// Expects a store to have images in a repository, every byte of them, and nothing else.
func expect(
    _ store: any RegistryStore,
    serves images: [TestImage],
    at name: String,
    _ location: SourceLocation = #_sourceLocation
) throws {
    let repository = try path(name)
    let documents = images.flatMap(\.documents)
    #expect(try Set(store.manifests(in: repository)) == Set(documents.map(\.digest)), sourceLocation: location)
    #expect(try store.manifests(in: repository).count == Set(documents.map(\.digest)).count, sourceLocation: location)
    for document in documents {
        #expect(try store.manifest(document.digest, in: repository) == document.bytes, sourceLocation: location)
    }
    for blob in images.flatMap(\.blobs) {
        let open = try #require(try store.blob(blob.digest, in: repository), sourceLocation: location)
        #expect(open.byteCount == blob.descriptor.size, sourceLocation: location)
        #expect(try open.bytes == blob.bytes, sourceLocation: location)
    }
}

/// Expects a store to have nothing of some images in a repository.
func expect(
    _ store: any RegistryStore,
    lacks images: [TestImage],
    at name: String,
    _ location: SourceLocation = #_sourceLocation
) throws {
    for document in images.flatMap(\.documents) {
        #expect(try store.manifest(document.digest, in: path(name)) == nil, sourceLocation: location)
    }
    for blob in images.flatMap(\.blobs) {
        #expect(try store.blob(blob.digest, in: path(name)) == nil, sourceLocation: location)
    }
}
