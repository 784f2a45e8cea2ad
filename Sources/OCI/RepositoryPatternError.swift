/// A text that is no pattern of repositories.
package struct RepositoryPatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which rule was broken.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        case empty
        case tooLong
        case hasTag
        case hasDigest
        case invalidCharacter
        case emptyPart
        /// It names no registry or no path, or of Docker Hub not the whole path: it would match nothing that is meant.
        case incomplete
        /// It has no wildcards, and is no repository.
        case notRepository(ReferenceError)
    }

    /// Which rule was broken.
    package let code: Code
    /// The whole text that was parsed.
    package let text: String
    /// Where in the text, in bytes of UTF-8, the first wrong character stands; nil where it is none in particular.
    package let offset: Int?

    init(_ code: Code, in text: String, at offset: Int? = nil) {
        self.code = code
        self.text = text
        self.offset = offset
    }

    /// One line: subject, place, cause.
    package var description: String {
        switch code {
        case .empty: return "a pattern of repositories must not be empty"
        case .notRepository(let error): return error.description
        default: return "\"\(text.printableExcerpt)\" is not a valid pattern of repositories: \(reason)\(place)"
        }
    }

    private var reason: String {
        switch code {
        case .empty: "it is empty"
        case .tooLong: "it is longer than \(RepositoryPattern.byteLimit) characters"
        case .hasTag: "it is for whole repositories, so it has no tag"
        case .hasDigest: "it is for whole repositories, so it has no digest"
        case .invalidCharacter: "no repository has such a character"
        case .emptyPart: "a part between slashes is empty"
        case .incomplete: "it needs registry and path in full, as docker.io/library/*"
        case .notRepository: "it is no repository"
        }
    }

    private var place: String {
        guard let offset, let next = Substring(text.utf8.dropFirst(offset)).unicodeScalars.first else { return "" }
        return ", at character \(offset + 1) (\"\(String(next).printable)\")"
    }
}
