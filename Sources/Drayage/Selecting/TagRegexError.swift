/// A text that is no regular expression for tags.
public struct TagRegexError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    @nonexhaustive
    public enum Code: Hashable, Sendable {
        case empty
        case tooLong
        /// A backslash within a set, where it would stand for itself.
        case escapeInSet
        /// A backslash before a character that means nothing with it here.
        case unknownEscape(Character)
        /// The C library's own text.
        case invalid(reason: String)
    }

    /// What is wrong.
    public let code: Code
    /// The whole text that was parsed.
    public let text: String

    init(_ code: Code, in text: String) {
        self.code = code
        self.text = text
    }

    /// One line: subject, cause.
    public var description: String {
        switch code {
        case .empty: "a regular expression for tags must not be empty: write .* for all tags"
        default: "\"\(text.printableExcerpt)\" is no regular expression: \(reason)"
        }
    }

    private var reason: String {
        switch code {
        case .empty: "it is empty"
        case .tooLong: "it is longer than \(TagRegex.byteLimit) characters"
        case .escapeInSet: "a backslash stands for itself within [ ]; write [0-9.] and not [\\d.]"
        case .unknownEscape(let character):
            "\\\(character) means nothing here; there are \\d \\D \\w \\W \\s \\S \\b \\B, and \\. for a dot"
        case .invalid(let reason): reason.printable
        }
    }
}
