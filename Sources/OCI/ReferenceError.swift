/// A text that is no reference, or no digest.
public struct ReferenceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which rule was broken.
    @nonexhaustive
    public enum Code: Hashable, Sendable {
        case nameEmpty
        case nameContainsUppercase
        case nameTooLong
        case nameIsIdentifier
        case invalidFormat
        case invalidTag
        case unsupportedDigestAlgorithm
        case invalidDigestLength
        case invalidDigestFormat
    }

    /// Which rule was broken.
    public let code: Code
    /// The whole text that was parsed.
    public let text: String
    /// Where in the text, in bytes of UTF-8, the first wrong character stands.
    public let offset: Int

    init(_ code: Code, in text: String, at offset: Int) {
        self.code = code
        self.text = text
        self.offset = offset
    }

    /// One line: subject, place, cause.
    public var description: String {
        guard code != .nameEmpty else { return "a reference must not be empty" }
        return "\"\(text.printableExcerpt)\" is not a valid reference: \(reason)\(place)"
    }

    private var reason: String {
        switch code {
        case .nameEmpty: "it is empty"
        case .nameContainsUppercase: "a repository name must be lower case"
        case .nameTooLong: "a name must not be longer than \(ReferenceGrammar.nameLengthLimit) characters"
        case .nameIsIdentifier: "64 hexadecimal digits would be taken for an image id; write a registry before it"
        case .invalidFormat: "it has the wrong form"
        case .invalidTag: "a tag is 1 to 128 of A-Z a-z 0-9 _ . - and begins with none of the last two"
        case .unsupportedDigestAlgorithm: "the digest's algorithm is neither sha256 nor sha512"
        case .invalidDigestLength: "the digest has the wrong length for its algorithm"
        case .invalidDigestFormat: "the digest is not algorithm:hex in lower case"
        }
    }

    private var place: String {
        guard code != .nameTooLong, code != .nameIsIdentifier else { return "" }
        // A scalar, not a character: that can be as long as the text.
        let rest = Substring(text.utf8.dropFirst(offset))
        guard let next = rest.unicodeScalars.first else { return ", at its end" }
        return ", at character \(offset + 1) (\"\(String(next).printable)\")"
    }
}
