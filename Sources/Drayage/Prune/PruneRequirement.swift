/// What must stay in a registry, and how much of it may be touched at all.
public struct PruneRequirement: Sendable {
    /// The images that must stay, with all that is beneath them and all that refers to them.
    public var images: [RequiredImage] = []
    /// How many images of each repository stay as its newest, by their own time of creation; nil for no such rule.
    ///
    /// What does not say when it was made stays, and so does what is as old as the last of them.
    public var newestCount: Int?
    /// The regular expressions of the tags that stay wherever one matches any part of them.
    public let tagPatterns: [String]
    /// The globs of the repositories that may be touched; empty for all.
    public let repositoryGlobs: [RepositoryGlob]

    /// Puts a requirement together.
    ///
    /// - Parameters:
    ///   - images: the images that must stay.
    ///   - newestCount: how many images of each repository stay as its newest.
    ///   - tagPatterns: the regular expressions of the tags that stay.
    ///   - repositoryGlobs: the globs of the repositories that may be touched.
    /// - Throws: ``DrayageError`` with `usage` for what is no regular expression or no number of images, with `emptyList`
    ///   where nothing is required.
    public init(
        images: [RequiredImage],
        newestCount: Int? = nil,
        tagPatterns: [String] = [],
        repositoryGlobs: [RepositoryGlob] = []
    ) throws {
        guard !images.isEmpty || newestCount != nil || !tagPatterns.isEmpty else {
            throw DrayageError(.emptyList, "nothing is required, so that everything would go: name what must stay")
        }
        guard newestCount.map({ $0 > 0 }) ?? true else {
            throw DrayageError(.usage, "of the newest images at least one must stay")
        }
        _ = try Self.regexes(tagPatterns)
        self.images = images
        self.newestCount = newestCount
        self.tagPatterns = tagPatterns
        self.repositoryGlobs = repositoryGlobs
    }

    /// The expressions.
    func tagRegexes() throws -> [TagRegex] { try Self.regexes(tagPatterns) }

    /// Whether a repository may be touched.
    func mayTouch(_ repository: RepositoryPath) -> Bool {
        repositoryGlobs.isEmpty || repositoryGlobs.contains { $0.matches(repository) }
    }

    private static func regexes(_ patterns: [String]) throws -> [TagRegex] {
        do {
            return try patterns.map { try TagRegex(parsing: $0) }
        } catch let error as TagRegexError {
            throw DrayageError(.usage, error.description)
        }
    }
}

/// A pattern for repositories' paths: `*` is any text without a slash, `**` any text, `?` any character but a slash.
public struct RepositoryGlob: Sendable, Hashable, CustomStringConvertible {
    /// The pattern.
    public let description: String

    /// Takes a pattern.
    ///
    /// - Throws: ``DrayageError`` with `usage` where no repository's path can match it.
    public init(parsing text: String) throws {
        let sample = text.replacing("**", with: "a").replacing("*", with: "a").replacing("?", with: "a")
        do {
            _ = try RepositoryPath(parsing: sample)
        } catch {
            throw DrayageError(.usage, "no repository's path can match \"\(text)\"", underlying: error)
        }
        description = text
    }

    /// Whether a path matches as a whole.
    public func matches(_ path: RepositoryPath) -> Bool {
        Self.matches(Array(description.utf8)[...], Array(path.description.utf8)[...])
    }

    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == UInt8(ascii: "*") {
            let crosses = pattern.dropFirst().first == first
            let rest = pattern.dropFirst(crosses ? 2 : 1)
            var text = text
            while true {
                if matches(rest, text) { return true }
                guard let next = text.first, crosses || next != UInt8(ascii: "/") else { return false }
                text = text.dropFirst()
            }
        }
        guard let next = text.first else { return false }
        let fits = first == UInt8(ascii: "?") ? next != UInt8(ascii: "/") : first == next
        return fits && matches(pattern.dropFirst(), text.dropFirst())
    }
}
