/// The path of a repository on its registry: what the distribution specification calls `<name>`.
///
/// Spec: distribution "Pulling manifests".
public struct RepositoryPath: Hashable, Sendable, CustomStringConvertible {
    /// The path: `library/alpine`.
    public let description: String

    /// Takes a text that is a repository's path, of at most 255 bytes.
    ///
    /// - Throws: ``ReferenceError`` with the rule that it breaks, and where.
    public init(parsing text: String) throws(ReferenceError) {
        let bytes = Array(text.utf8)
        if let wrong = ReferenceGrammar.firstInvalidInPath(bytes[...]) {
            let code: ReferenceError.Code =
                bytes.isEmpty ? .nameEmpty : bytes.contains(where: \.isUpper) ? .nameContainsUppercase : .invalidFormat
            throw ReferenceError(code, in: text, at: wrong)
        }
        guard bytes.count <= ReferenceGrammar.nameLengthLimit else {
            throw ReferenceError(.nameTooLong, in: text, at: 0)
        }
        description = text
    }
}

extension RepositoryPath: Comparable {
    /// Orders by bytes.
    public static func < (left: RepositoryPath, right: RepositoryPath) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }
}

/// What a manifest is asked for by: `<reference>` of the distribution specification.
package enum TagOrDigest: Hashable, Sendable {
    case tag(Tag)
    case digest(Digest)

    /// Reads a digest, which has a colon, or a tag, which has none.
    ///
    /// - Throws: ``ReferenceError`` with the rule that it breaks, and where.
    package init(parsing text: String) throws(ReferenceError) {
        self = text.utf8.contains(UInt8(ascii: ":")) ? .digest(try Digest(parsing: text)) : .tag(try Tag(parsing: text))
    }
}

extension Tag: Comparable {
    /// Orders by bytes, as a registry lists them.
    public static func < (left: Tag, right: Tag) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }
}

extension RepositoryPath: Codable {
    /// Decodes the path's text, by its rules.
    public init(from decoder: any Decoder) throws {
        self = try decoder.parsed { text throws(ReferenceError) in try RepositoryPath(parsing: text) }
    }

    /// Encodes the path's text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Tag: Codable {
    /// Decodes the tag's text, by its rules.
    public init(from decoder: any Decoder) throws {
        self = try decoder.parsed { text throws(ReferenceError) in try Tag(parsing: text) }
    }

    /// Encodes the tag's text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
