/// What an image runs on.
///
/// Spec: image "Image Index Property Descriptions", `platform`.
public struct Platform: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The operating system: `linux`, `windows` and so on.
    public let os: String
    /// The architecture of the processor: `amd64`, `arm64` and so on.
    public let architecture: String
    /// The variant of the processor: `v8`.
    public let variant: String?
    /// The version of the operating system, which matters on Windows.
    public let osVersion: String?

    private enum CodingKeys: String, CodingKey {
        case os
        case architecture
        case variant
        case osVersion = "os.version"
    }

    /// Puts a platform together.
    public init(os: String, architecture: String, variant: String? = nil, osVersion: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
    }

    /// `os/architecture[/variant]`.
    public var description: String {
        [os, architecture, variant].compactMap { $0?.isEmpty == false ? $0 : nil }.joined(separator: "/")
    }

    /// Whether the descriptor names no platform at all: `unknown/unknown`, as BuildKit marks attestations.
    package var isUnknown: Bool { os == "unknown" || architecture == "unknown" }
}
