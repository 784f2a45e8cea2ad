/// A platform that somebody asks for: `os/architecture[/variant]`.
///
/// Without a variant every variant is meant, and every version of the operating system always.
public struct PlatformSelector: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The operating system.
    public let os: String
    /// The architecture of the processor.
    public let architecture: String
    /// The variant of the processor; nil for all.
    public let variant: String?

    private static let lengthLimit = 64
    /// The variants that an architecture without one has.
    private static let implied = ["arm64": "v8", "arm": "v7", "amd64": "v1"]

    /// Reads a platform; nil where the text is none.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), text.utf8.count <= Self.lengthLimit,
            parts.allSatisfy({ part in
                !part.isEmpty && part.utf8.allSatisfy { $0.isLowerAlphanumeric || "._-".utf8.contains($0) }
            })
        else { return nil }
        os = String(parts[0])
        architecture = String(parts[1])
        variant = parts.count == 3 ? String(parts[2]) : nil
    }

    /// `os/architecture[/variant]`.
    public var description: String { [os, architecture, variant].compactMap(\.self).joined(separator: "/") }

    /// Whether a platform is one of those that are asked for.
    package func matches(_ platform: Platform) -> Bool {
        guard platform.os == os, platform.architecture == architecture else { return false }
        guard let variant else { return true }
        let own = platform.variant.flatMap { $0.isEmpty ? nil : $0 } ?? Self.implied[architecture]
        return own == variant
    }

    /// The order of their texts.
    public static func < (first: PlatformSelector, second: PlatformSelector) -> Bool {
        first.description < second.description
    }
}
