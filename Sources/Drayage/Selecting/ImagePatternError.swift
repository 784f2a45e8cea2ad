/// A text that is no pattern of images.
public struct ImagePatternError: Error, Sendable, CustomStringConvertible {
    /// The most bytes of a pattern: both of its parts, and the colon.
    static let byteLimit = RepositoryPattern.byteLimit + 1 + TagGlob.byteLimit

    /// Which rule was broken.
    @nonexhaustive
    public enum Code: Hashable, Sendable {
        case tooLong
        case hasDigest
        /// What stands before the tag is no pattern of repositories.
        case invalidRepository
        case invalidTag
    }

    /// Which rule was broken.
    public let code: Code
    /// The whole text that was parsed.
    public let text: String
    /// Where in the text, in bytes of UTF-8, the first wrong character stands; nil where it is none in particular.
    public let offset: Int?
    /// What is wrong with the pattern of repositories.
    public let underlying: (any Error)?

    init(_ code: Code, in text: String, at offset: Int? = nil, underlying: (any Error)? = nil) {
        self.code = code
        self.text = text
        self.offset = offset
        self.underlying = underlying
    }

    /// One line: subject, place, cause.
    public var description: String {
        if let underlying { return "\(underlying)" }
        return "\"\(text.printableExcerpt)\" is not a valid pattern of images: \(reason)\(text.place(of: offset))"
    }

    private var reason: String {
        switch code {
        case .tooLong:
            "it is longer than \(RepositoryPattern.byteLimit) characters, or \(TagGlob.byteLimit) after the colon"
        case .hasDigest: "it is for repositories and tags, so it has no digest"
        case .invalidRepository: "what stands before the tag is no pattern of repositories"
        case .invalidTag: "after the colon it needs a tag, in which * stands for any characters and ? for one"
        }
    }
}
