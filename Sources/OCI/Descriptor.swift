/// What identifies a blob or a manifest: its type, digest and size.
///
/// Spec: image "OCI Content Descriptors".
public struct Descriptor: Hashable, Sendable, Codable {
    /// The type of what is described.
    public let mediaType: MediaType
    /// Its digest.
    public let digest: Digest
    /// Its size in bytes, never negative.
    public let size: Int64
    /// Where else it may be had: set on layers that are not to be distributed.
    public var urls: [String]? { rest.fields?.urls }
    /// What the maker noted.
    public var annotations: [String: String]? { rest.fields?.annotations }
    /// What the image runs on: set within an index.
    public var platform: Platform? { rest.fields?.platform }
    /// The type of an artifact: set within an index.
    public var artifactType: String? { rest.fields?.artifactType }

    private let rest: Rest

    /// What most descriptors do not have, in a place of its own: a bundle has thousands of them, and they are passed about.
    private indirect enum Rest: Hashable, Sendable {
        case none
        case some(Fields)

        struct Fields: Hashable, Sendable {
            var urls: [String]?
            var annotations: [String: String]?
            var platform: Platform?
            var artifactType: String?
        }

        init(_ fields: Fields) { self = fields == Fields() ? .none : .some(fields) }

        var fields: Fields? {
            switch self {
            case .none: nil
            case .some(let fields): fields
            }
        }
    }

    private enum CodingKeys: String, CodingKey {
        case mediaType
        case digest
        case size
        case urls
        case annotations
        case platform
        case artifactType
    }

    /// Puts a descriptor together.
    public init(
        mediaType: MediaType,
        digest: Digest,
        size: Int64,
        annotations: [String: String]? = nil,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        rest = Rest(Rest.Fields(annotations: annotations, platform: platform))
    }

    /// Decodes a descriptor and refuses a negative size.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        // As texts: types that decode themselves get a decoder each, and take longer than the rest together.
        mediaType = MediaType(rawValue: try container.decode(String.self, forKey: .mediaType))
        do {
            digest = try Digest(parsing: try container.decode(String.self, forKey: .digest))
        } catch let error as ReferenceError {
            throw DecodingError.dataCorruptedError(
                forKey: .digest,
                in: container,
                debugDescription: error.description
            )
        }
        size = try container.decode(Int64.self, forKey: .size)
        guard size >= 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .size,
                in: container,
                debugDescription: "a size must not be negative"
            )
        }
        // Most have none of these, and Foundation's decoder takes longer to look for a value of any type than for its key.
        func optional<Value: Decodable>(_ type: Value.Type, _ key: CodingKeys) throws -> Value? {
            container.contains(key) ? try container.decodeIfPresent(type, forKey: key) : nil
        }
        rest = Rest(
            Rest.Fields(
                urls: try optional([String].self, .urls),
                annotations: try optional([String: String].self, .annotations),
                platform: try optional(Platform.self, .platform),
                artifactType: try container.decodeIfPresent(String.self, forKey: .artifactType)
            )
        )
    }

    /// Encodes what there is.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        // As texts, as they are decoded.
        try container.encode(mediaType.rawValue, forKey: .mediaType)
        try container.encode(digest.description, forKey: .digest)
        try container.encode(size, forKey: .size)
        guard let rest = rest.fields else { return }
        try container.encodeIfPresent(rest.urls, forKey: .urls)
        try container.encodeIfPresent(rest.annotations, forKey: .annotations)
        try container.encodeIfPresent(rest.platform, forKey: .platform)
        try container.encodeIfPresent(rest.artifactType, forKey: .artifactType)
    }

    /// Whether this is a layer that is fetched from its maker and that registries do not hold.
    package var isForeignLayer: Bool { urls?.isEmpty == false && mediaType.isNondistributable }

    /// What this child of an index is an attestation of, as BuildKit notes it; nil where it does not.
    package var attestedDigest: Digest? {
        annotations?["vnd.docker.reference.digest"].flatMap { try? Digest(parsing: $0) }
    }

    /// Whether BuildKit marked this child of an index as the attestation of another.
    package var isAttestation: Bool {
        annotations?["vnd.docker.reference.type"] == "attestation-manifest" || platform?.isUnknown == true
    }
}
