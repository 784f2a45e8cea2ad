import Foundation
package import OCI

/// A layer or a config that a test made.
package struct TestBlob: Sendable {
    /// Where the bytes are.
    package enum Content: Sendable {
        case bytes([UInt8])
        /// A file, for what is too large for memory.
        case file(String)
        /// Nowhere: a layer that registries do not hold.
        case elsewhere
    }

    /// What identifies it.
    package let descriptor: Descriptor
    /// Where the bytes are.
    package let content: Content
    /// The digest of the archive before compression, where this is a layer.
    package let diffID: Digest?
    /// Where a foreign layer may be had.
    package let urls: [String]?

    /// Describes a blob by its bytes.
    package init(bytes: [UInt8], mediaType: MediaType, diffID: Digest? = nil, algorithm: Digest.Algorithm = .sha256)
        throws
    {
        let digest = try Digest.of(bytes, algorithm: algorithm)
        let descriptor = Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
        self.init(descriptor: descriptor, content: .bytes(bytes), diffID: diffID)
    }

    /// Describes a blob by a file, which is read once for its digest.
    package init(file path: String, mediaType: MediaType, diffID: Digest?) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        let descriptor = Descriptor(mediaType: mediaType, digest: try Digest.of(data), size: Int64(data.count))
        self.init(descriptor: descriptor, content: .file(path), diffID: diffID)
    }

    /// Describes a blob of which everything is known.
    package init(descriptor: Descriptor, content: Content, diffID: Digest?, urls: [String]? = nil) {
        self.descriptor = descriptor
        self.content = content
        self.diffID = diffID
        self.urls = urls
    }

    /// Its digest.
    package var digest: Digest { descriptor.digest }

    /// The bytes; those of a file are read.
    package var bytes: [UInt8] {
        get throws {
            switch content {
            case .bytes(let bytes): bytes
            case .file(let path): [UInt8](try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped))
            case .elsewhere: []
            }
        }
    }
}

/// A manifest or an index that a test made.
package struct TestDocument: Sendable {
    /// The bytes.
    package let bytes: [UInt8]
    /// Type, digest and size of the bytes.
    package let descriptor: Descriptor

    /// Describes bytes.
    package init(bytes: [UInt8], mediaType: MediaType, algorithm: Digest.Algorithm = .sha256) throws {
        self.bytes = bytes
        let digest = try Digest.of(bytes, algorithm: algorithm)
        descriptor = Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    }

    /// Its digest.
    package var digest: Digest { descriptor.digest }
    /// Its type.
    package var mediaType: MediaType { descriptor.mediaType }
}

/// An image that a test made: a manifest or an index, with everything beneath it.
package struct TestImage: Sendable {
    /// What a tag points at.
    package let document: TestDocument
    /// The images beneath, where this is an index.
    package let children: [TestImage]
    /// The config; nil where this is an index.
    package let config: TestBlob?
    /// The layers, base first.
    package let layers: [TestBlob]
    /// What it runs on; nil where this is an index or an artifact.
    package let platform: Platform?
    /// What an index says of it as its child.
    package var annotations: [String: String]?

    /// The descriptor of the manifest or the index.
    package var top: Descriptor { document.descriptor }
    /// The digest of the manifest or the index.
    package var digest: Digest { document.digest }

    /// Every manifest and index, each once, children before their parents: the order of a push.
    package var documents: [TestDocument] {
        var seen: Set<Digest> = []
        return (children.flatMap(\.documents) + [document]).filter { seen.insert($0.digest).inserted }
    }

    /// Every config and layer that a registry holds, each once: configs and layers in the order of the manifests.
    package var blobs: [TestBlob] {
        var seen: Set<Digest> = []
        let own = ([config].compactMap(\.self) + layers).filter {
            if case .elsewhere = $0.content { false } else { true }
        }
        return (own + children.flatMap(\.blobs)).filter { seen.insert($0.digest).inserted }
    }

    /// Configs, layers, manifests and indexes by digest: all that a bundle of this image must hold, byte for byte.
    package var allBytes: [Digest: [UInt8]] {
        get throws {
            var result = Dictionary(uniqueKeysWithValues: documents.map { ($0.digest, $0.bytes) })
            for blob in blobs { result[blob.digest] = try blob.bytes }
            return result
        }
    }
}
