/// Which images something is for: `ghcr.io/acme/**:*-debug`.
///
/// It is a pattern of repositories and, after a colon, one of tags. In that of repositories `*` stands for any
/// characters within one part and `**` for any whatever, and it is written in full, registry and all; without wildcards
/// it is completed as a reference is (`alpine:3.*` is `docker.io/library/alpine:3.*`), and `*` alone is every
/// repository. In that of tags `*` stands for any characters and `?` for one; without it every tag is meant, and what
/// has none.
public struct ImagePattern: Hashable, Sendable, CustomStringConvertible {
    /// The pattern; that of repositories completed: `docker.io/library/alpine:3.*`.
    public let description: String
    private let repositories: RepositoryPattern
    private let tags: TagGlob?

    /// Reads a pattern.
    ///
    /// - Throws: ``ImagePatternError`` with the rule that it breaks, and where.
    public init(parsing text: String) throws(ImagePatternError) {
        let bytes = Array(text.utf8.prefix(ImagePatternError.byteLimit + 1))
        guard bytes.count <= ImagePatternError.byteLimit else { throw ImagePatternError(.tooLong, in: text) }
        if let at = bytes.firstIndex(of: UInt8(ascii: "@")) { throw ImagePatternError(.hasDigest, in: text, at: at) }
        // A colon before the last slash belongs to a host.
        let name = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        let colon = bytes[name...].firstIndex(of: UInt8(ascii: ":"))
        repositories = try Self.repositories(bytes[..<(colon ?? bytes.endIndex)], of: text)
        guard let colon else {
            (tags, description) = (nil, repositories.description)
            return
        }
        let tagBytes = bytes[(colon + 1)...]
        if let wrong = tagBytes.isEmpty ? bytes.endIndex : TagGlob.firstInvalid(in: tagBytes) {
            throw ImagePatternError(.invalidTag, in: text, at: wrong)
        }
        guard tagBytes.count <= TagGlob.byteLimit else { throw ImagePatternError(.tooLong, in: text) }
        let tagText = String(decoding: tagBytes, as: UTF8.self)
        (tags, description) = (TagGlob(tagText[...]), "\(repositories):\(tagText)")
    }

    private static func repositories(
        _ bytes: ArraySlice<UInt8>,
        of text: String
    ) throws(ImagePatternError) -> RepositoryPattern {
        let name = String(decoding: bytes, as: UTF8.self)
        do {
            return try RepositoryPattern(parsing: name == "*" ? "**" : name)
        } catch {
            throw ImagePatternError(.invalidRepository, in: text, at: error.offset, underlying: error)
        }
    }

    /// Whether a reference is one of those that are meant: what has only a digest is, where every tag is.
    public func matches(_ reference: Reference) -> Bool {
        guard repositories.matches(reference.repository) else { return false }
        guard let tags else { return true }
        return reference.tag.map(tags.matches) ?? false
    }
}
