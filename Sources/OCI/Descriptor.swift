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
    public let urls: [String]?
    /// What the maker noted.
    public let annotations: [String: String]?
    /// What the image runs on: set within an index.
    public let platform: Platform?
    /// The type of an artifact: set within an index.
    public let artifactType: String?

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
        self.annotations = annotations
        self.platform = platform
        urls = nil
        artifactType = nil
    }

    /// Decodes a descriptor and refuses a negative size.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        mediaType = try container.decode(MediaType.self, forKey: .mediaType)
        digest = try container.decode(Digest.self, forKey: .digest)
        size = try container.decode(Int64.self, forKey: .size)
        guard size >= 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .size,
                in: container,
                debugDescription: "a size must not be negative"
            )
        }
        urls = try container.decodeIfPresent([String].self, forKey: .urls)
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
        platform = try container.decodeIfPresent(Platform.self, forKey: .platform)
        artifactType = try container.decodeIfPresent(String.self, forKey: .artifactType)
    }

    /// Whether this is a layer that is fetched from its maker and that registries do not hold.
    package var isForeignLayer: Bool { mediaType.isNondistributable && urls?.isEmpty == false }

    /// What this child of an index is an attestation of, as BuildKit notes it; nil where it does not.
    package var attestedDigest: Digest? {
        annotations?["vnd.docker.reference.digest"].flatMap { try? Digest(parsing: $0) }
    }

    /// Whether BuildKit marked this child of an index as the attestation of another.
    package var isAttestation: Bool {
        annotations?["vnd.docker.reference.type"] == "attestation-manifest" || platform?.isUnknown == true
    }
}
