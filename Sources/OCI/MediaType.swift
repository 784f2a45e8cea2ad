/// A media type of the OCI and Docker families.
///
/// Any text is allowed: registries hold artifacts of every type.
public struct MediaType: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The text of the type, without parameters.
    public let rawValue: String

    /// The text of the type.
    public var description: String { rawValue }

    /// Takes the text of a type.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// An OCI image index.
    public static let ociIndex = MediaType(rawValue: "application/vnd.oci.image.index.v1+json")
    /// An OCI image manifest.
    public static let ociManifest = MediaType(rawValue: "application/vnd.oci.image.manifest.v1+json")
    /// An OCI image config.
    public static let ociConfig = MediaType(rawValue: "application/vnd.oci.image.config.v1+json")
    /// A Docker manifest list, schema 2.
    public static let dockerManifestList = MediaType(
        rawValue: "application/vnd.docker.distribution.manifest.list.v2+json"
    )
    /// A Docker image manifest, schema 2.
    public static let dockerManifest = MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
    /// A Docker image config.
    public static let dockerConfig = MediaType(rawValue: "application/vnd.docker.container.image.v1+json")

    /// What is asked for when a tag is resolved: every form that can be carried.
    package static let manifests: [MediaType] = [.ociIndex, .ociManifest, .dockerManifestList, .dockerManifest]

    /// Whether this is an index or a manifest list.
    package var isIndex: Bool { self == .ociIndex || self == .dockerManifestList }

    /// Whether this is the manifest of one image.
    package var isManifest: Bool { self == .ociManifest || self == .dockerManifest }

    /// Whether this is a type of manifest or index that Drayage reads.
    package var isKnownDocument: Bool { isIndex || isManifest }

    /// Whether this is the config of a runnable image.
    package var isImageConfig: Bool { self == .ociConfig || self == .dockerConfig }

    /// Whether this is Docker's schema 1, which no registry of today serves and Drayage does not carry.
    package var isSchema1: Bool {
        rawValue == "application/vnd.docker.distribution.manifest.v1+json"
            || rawValue == "application/vnd.docker.distribution.manifest.v1+prettyjws"
    }

    /// Whether this is the name of a type, of at most 255 bytes.
    ///
    /// Spec: RFC 6838 "Naming Requirements".
    package var isWellFormed: Bool {
        let parts = rawValue.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return rawValue.utf8.count <= 255 && parts.count == 2
            && parts.allSatisfy { part in
                part.first?.isAlphanumeric == true
                    && part.allSatisfy { $0.isAlphanumeric || "!#$&-^_.+".utf8.contains($0) }
            }
    }

    /// Whether this is a layer that its maker asks not to be distributed.
    package var isNondistributable: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.v1.")
            || rawValue == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    }
}
