import FoundationEssentials

/// A manifest or an index: its bytes first, what they say second.
///
/// The bytes are what the digest is of. They are kept, stored and sent as they came, and never encoded again.
package struct Document: Sendable {
    /// What the bytes say.
    ///
    /// Apart from the bytes, so that a document is small to pass about.
    package indirect enum Content: Hashable, Sendable {
        case manifest(ImageManifest)
        case index(ImageIndex)
        /// A type that Drayage does not know, carried whole. Spec: image "Image Index", unknown media types.
        case opaque
    }

    /// The most bytes of a manifest or an index.
    package static let byteLimit = 4 << 20

    /// The bytes as they came.
    package let bytes: [UInt8]
    /// The type, digest and size of the bytes.
    package let descriptor: Descriptor
    /// What the bytes say.
    package let content: Content

    /// The children, where this is an index.
    package var children: [Descriptor] {
        guard case .index(let index) = content else { return [] }
        return index.manifests
    }

    /// The blobs directly beneath, where this is a manifest.
    package var blobs: [Descriptor] {
        guard case .manifest(let manifest) = content else { return [] }
        return manifest.blobs
    }

    /// How many manifests and blobs are directly beneath, foreign layers among them.
    package var partCount: Int {
        switch content {
        case .manifest(let manifest): 1 + manifest.layers.count
        case .index(let index): index.manifests.count
        case .opaque: 0
        }
    }

    /// The layers directly beneath that are fetched from their makers, where this is a manifest.
    package var foreignLayers: [Descriptor] {
        guard case .manifest(let manifest) = content else { return [] }
        return manifest.foreignLayers
    }

    /// What it refers to, where it is a signature, an attestation or another referrer.
    package var subject: Descriptor? {
        switch content {
        case .manifest(let manifest): manifest.subject
        case .index(let index): index.subject
        case .opaque: nil
        }
    }

    /// Reads a document.
    ///
    /// - Parameters:
    ///   - bytes: the document as it came.
    ///   - declaredType: what the registry's `Content-Type` or the parent's descriptor says that it is.
    ///   - algorithm: the algorithm of the digest by which it is known.
    /// - Throws: ``DocumentError`` when it is too large, no JSON, ambiguous, of schema 1 or not what was declared.
    package init(
        bytes: [UInt8],
        declaredType: MediaType?,
        algorithm: Digest.Algorithm = .sha256
    ) throws(DocumentError) {
        guard bytes.count <= Self.byteLimit else { throw DocumentError(.tooLarge(byteCount: bytes.count)) }
        let digest: Digest
        do {
            digest = try Digest.of(bytes, algorithm: algorithm)
        } catch {
            throw DocumentError(.unreadable(reason: error.description))
        }
        let (content, type) = try Self.read(bytes, declaredType: declaredType)
        self.bytes = bytes
        self.content = content
        descriptor = Descriptor(mediaType: type, digest: digest, size: Int64(bytes.count))
    }

    private static func read(
        _ bytes: [UInt8],
        declaredType: MediaType?
    ) throws(DocumentError) -> (Content, MediaType) {
        // Registries send all sorts of things as the type of what they do not know; only a type of ours binds.
        let declared = declaredType.flatMap { $0.isIndex || $0.isManifest || $0.isSchema1 ? $0 : nil }
        if declared?.isSchema1 == true { throw DocumentError(.schema1) }
        let fields: Fields
        do {
            fields = try JSONDecoder().decode(Fields.self, from: Data(bytes))
        } catch {
            throw DocumentError(.unreadable(reason: Self.reason(of: error)))
        }
        // Go's readers take an empty type for none; whoever took it for an unknown one would miss what is beneath.
        let own = fields.mediaType.flatMap { $0.rawValue.isEmpty ? nil : $0 }
        if fields.schemaVersion == 1 || own?.isSchema1 == true { throw DocumentError(.schema1) }
        if let declared, let own, own != declared {
            throw DocumentError(.typesDisagree(declared: declared, own: own))
        }
        // One text must not be a manifest to one reader and an index to another.
        guard fields.manifests == nil || (fields.layers == nil && fields.config == nil) else {
            throw DocumentError(.ambiguous)
        }
        guard let type = own ?? declared ?? fields.impliedType ?? declaredType else {
            throw DocumentError(.unreadable(reason: "it is neither a manifest nor an index"))
        }
        return (try fields.content(as: type), type)
    }

    /// Says in words what is wrong with a JSON text.
    static func reason(of error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context): "\(path(context, key)) is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            context.codingPath.isEmpty ? "it is no JSON object" : "\(path(context)) has the wrong type"
        case DecodingError.dataCorrupted(let context):
            context.codingPath.isEmpty ? "it is not JSON" : "\(path(context)): \(context.debugDescription)"
        default: "it is not JSON"
        }
    }

    private static func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
        (context.codingPath + (key.map { [$0] } ?? [])).map { $0.intValue.map(String.init) ?? $0.stringValue }
            .joined(separator: ".")
    }
}

extension Document {
    /// The fields of a manifest and of an index together, to find out which of the two a text is.
    private struct Fields: Decodable {
        let schemaVersion: Int?
        let mediaType: MediaType?
        let config: Descriptor?
        let layers: [Descriptor]?
        let manifests: [Descriptor]?
        let subject: Descriptor?

        /// What a text is that says it neither itself nor through its registry.
        ///
        /// Spec: image "Image Manifest Property Descriptions": `mediaType` is optional in OCI documents, never in Docker's.
        var impliedType: MediaType? {
            if manifests != nil { return .ociIndex }
            return config != nil ? .ociManifest : nil
        }

        func content(as type: MediaType) throws(DocumentError) -> Content {
            if type.isIndex {
                guard let manifests else { throw DocumentError(.unreadable(reason: "manifests is missing")) }
                guard manifests.count <= ImageIndex.childLimit else {
                    throw DocumentError(.tooManyChildren(count: manifests.count))
                }
                return .index(ImageIndex(manifests: manifests, subject: subject))
            }
            guard type.isManifest else { return .opaque }
            guard let config else { throw DocumentError(.unreadable(reason: "config is missing")) }
            return .manifest(ImageManifest(config: config, layers: layers ?? [], subject: subject))
        }
    }
}

/// A manifest or an index that cannot be carried, or a config that cannot be read.
package struct DocumentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        case tooLarge(byteCount: Int)
        case unreadable(reason: String)
        case typesDisagree(declared: MediaType, own: MediaType)
        case ambiguous
        case schema1
        case tooManyChildren(count: Int)
        case nestedTooDeep
        case configTooLarge(byteCount: Int)
        case unreadableConfig(reason: String)
    }

    /// What is wrong with it.
    package let code: Code

    package init(_ code: Code) { self.code = code }

    /// The cause alone; who throws it on adds the subject.
    package var description: String {
        switch code {
        case .tooLarge(let count): "the manifest has \(count) bytes; at most \(Document.byteLimit) are accepted"
        case .unreadable(let reason): "the manifest cannot be read: \(reason.printableExcerpt)"
        case .typesDisagree(let declared, let own):
            "the manifest says that it is \(own.rawValue.printableExcerpt), "
                + "its source says \(declared.rawValue.printableExcerpt)"
        case .ambiguous: "the manifest is an image and an index at once"
        case .schema1:
            "it is a Docker schema 1 manifest, a form without sizes that registries gave up; "
                + "push the image again with a Docker of version 1.10 or later to convert it"
        case .tooManyChildren(let count):
            "the image has \(count) manifests; at most \(ImageIndex.childLimit) are accepted"
        case .nestedTooDeep: "its indexes are nested more than \(ImageIndex.nestingLimit) deep"
        case .configTooLarge(let count):
            "the config has \(count) bytes; at most \(ImageConfig.byteLimit) are accepted"
        case .unreadableConfig(let reason): "the config cannot be read: \(reason.printableExcerpt)"
        }
    }
}
