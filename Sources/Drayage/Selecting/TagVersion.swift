/// A tag that is a version: `1.2.3`, `v1`, `2024.01.05`, `1.2.0-rc.1_build5`.
///
/// It is a `v` if there is one, one to four numbers, `-` and a prerelease, and `_` and a build: a tag cannot hold the
/// `+` that semantic versions have there, and Helm writes it so. `3.20-alpine` has the form of a prerelease and is
/// taken for one; nothing in it says otherwise. Numbers have up to 18 digits, zeros before them are nothing; what has
/// longer ones is no version.
///
/// It is compared by its precedence, so that `1.2`, `v1.2.0` and `1.2.0_1` are equal. Spec: semver 2.0.0 "Precedence".
struct TagVersion: Comparable, Sendable {
    /// The most digits of a number: one more than the largest is still an `Int`.
    static let digitLimit = 18
    /// How many numbers there are, those that are not written being zero.
    static let partLimit = 4

    /// One of the parts of a prerelease between its dots: all numbers are lower than all texts.
    enum Identifier: Comparable, Sendable {
        case number(Int)
        case text(String)
    }

    private let numbers: [Int]
    private let prerelease: [Identifier]

    /// Whether it is one number of more than four digits, as a date is, the number of a build or, by chance, of a commit.
    var isLoneNumber: Bool { numbers[0] > 9999 && numbers.dropFirst().allSatisfy { $0 == 0 } }

    /// Whether something follows the numbers that makes it less than a release.
    var isPrerelease: Bool { !prerelease.isEmpty }

    /// Puts a version together.
    init(_ numbers: [Int], prerelease: [Identifier] = []) {
        let given = numbers.prefix(Self.partLimit)
        self.numbers = given + [Int](repeating: 0, count: Self.partLimit - given.count)
        self.prerelease = prerelease
    }

    static func < (lhs: TagVersion, rhs: TagVersion) -> Bool {
        guard lhs.numbers == rhs.numbers else { return lhs.numbers.lexicographicallyPrecedes(rhs.numbers) }
        guard lhs.isPrerelease, rhs.isPrerelease else { return lhs.isPrerelease }
        // Of two of which one begins with the other the shorter is lower.
        return lhs.prerelease.lexicographicallyPrecedes(rhs.prerelease)
    }
}

extension TagVersion {
    /// Reads a tag; nil where it is no version.
    init?(_ tag: Tag) {
        guard let parts = Parts(tag.description[...]) else { return nil }
        self.init(parts.numbers, prerelease: parts.prerelease)
    }

    /// A version as it is written.
    struct Parts {
        /// The numbers that are written, one to four.
        let numbers: [Int]
        /// What follows `-`; empty for a release.
        let prerelease: [Identifier]

        /// Takes a text apart; nil where it is no version.
        init?(_ text: Substring) {
            var rest = text.hasPrefix("v") ? text.dropFirst() : text
            if let mark = rest.firstIndex(where: { "+_".contains($0) }) {
                let build = rest[mark...].dropFirst()
                guard !build.isEmpty, build.utf8.allSatisfy(\.isTagCharacter) else { return nil }
                rest = rest[..<mark]
            }
            let halves = rest.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard let numbers = TagVersion.numbers(halves[0]) else { return nil }
            self.numbers = numbers
            guard halves.count == 2 else {
                prerelease = []
                return
            }
            let fields = halves[1].split(separator: ".", omittingEmptySubsequences: false)
            let identifiers = fields.compactMap(Identifier.init)
            guard identifiers.count == fields.count else { return nil }
            prerelease = identifiers
        }
    }

    /// One to four numbers with dots between them; nil where a text is anything else.
    static func numbers(_ text: Substring) -> [Int]? {
        let fields = text.split(separator: ".", maxSplits: partLimit, omittingEmptySubsequences: false)
        let numbers = fields.compactMap(number)
        return numbers.count == fields.count && numbers.count <= partLimit ? numbers : nil
    }

    private static func number(_ text: Substring) -> Int? {
        // `Int` would take a sign as well.
        text.utf8.count <= digitLimit && text.utf8.allSatisfy(\.isDigit) ? Int(text) : nil
    }
}

extension TagVersion.Identifier {
    /// Reads a part of a prerelease; nil where it is none.
    fileprivate init?(_ text: Substring) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0.isTagCharacter && !"_.".utf8.contains($0) }) else { return nil }
        guard text.utf8.allSatisfy(\.isDigit) else {
            self = .text(String(text))
            return
        }
        guard text.utf8.count <= TagVersion.digitLimit, let number = Int(text) else { return nil }
        self = .number(number)
    }
}
