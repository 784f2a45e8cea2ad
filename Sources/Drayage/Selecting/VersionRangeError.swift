/// A text that is no range of versions.
public struct VersionRangeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which rule was broken.
    @nonexhaustive
    public enum Code: Hashable, Sendable {
        case empty
        case tooLong
        /// Nothing to compare with, or nothing on one side of `||`.
        case missingVersion
        case invalidVersion
        /// More, less or other than `*`, which is every version: that would be none.
        case wildcardCompared
    }

    /// Which rule was broken.
    public let code: Code
    /// The whole text that was parsed.
    public let text: String
    /// Where in the text, in bytes of UTF-8, what is wrong begins; nil where it is the whole.
    public let offset: Int?

    init(_ code: Code, in text: String, at offset: Int? = nil) {
        self.code = code
        self.text = text
        self.offset = offset
    }

    /// One line: subject, place, cause.
    public var description: String {
        guard code != .empty else { return "a range of versions must not be empty: write one as '>=1.2 <2'" }
        return "\"\(text.printableExcerpt)\" is not a valid range of versions: \(reason)\(text.place(of: offset))"
    }

    private var reason: String {
        switch code {
        case .empty: "it is empty"
        case .tooLong: "it is longer than \(VersionRange.byteLimit) characters"
        case .missingVersion: "a version is missing"
        case .invalidVersion: "write 1.2, 1.2.x or 1.2.3-rc.1 for a version, before it one of = != < <= > >= ^ ~"
        case .wildcardCompared: "nothing is more, less or other than every version"
        }
    }
}

extension String {
    /// Where something is in the text, for the end of a message: `, at character 3 ("x")`; nothing for nil.
    func place(of offset: Int?) -> String {
        guard let offset else { return "" }
        // A scalar, not a character: that can be as long as the text.
        guard let next = Substring(utf8.dropFirst(offset)).unicodeScalars.first else { return ", at its end" }
        return ", at character \(offset + 1) (\"\(String(next).printable)\")"
    }
}
