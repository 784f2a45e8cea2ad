/// A version as it stands in a range: perhaps of fewer numbers, or with `x` or `*` in place of the last ones.
struct VersionOperand {
    /// The numbers before any wildcard, none for `*`.
    let numbers: [Int]
    /// What follows `-`.
    let prerelease: [TagVersion.Identifier]

    /// Reads a version or the beginning of one; nil where it is none.
    init?(_ text: Substring) {
        let fields = (text.hasPrefix("v") ? text.dropFirst() : text)
            .split(separator: ".", maxSplits: TagVersion.partLimit, omittingEmptySubsequences: false)
        guard let wildcard = fields.firstIndex(where: Self.isWildcard) else {
            guard let parts = TagVersion.Parts(text) else { return nil }
            (numbers, prerelease) = (parts.numbers, parts.prerelease)
            return
        }
        guard fields.count <= TagVersion.partLimit, fields[wildcard...].allSatisfy(Self.isWildcard),
            let given = wildcard == 0 ? [] : TagVersion.numbers(fields[..<wildcard].joined(separator: ".")[...])
        else { return nil }
        (numbers, prerelease) = (given, [])
    }

    private static func isWildcard(_ field: Substring) -> Bool { ["x", "X", "*"].contains(field) }

    /// Whether it stands for all versions that begin so.
    var isPartial: Bool { numbers.count < 3 && prerelease.isEmpty }

    /// The version, what is not written being zero.
    var version: TagVersion { TagVersion(numbers, prerelease: prerelease) }

    /// The lowest version of all that begin so, its prereleases with it.
    var lowest: TagVersion { TagVersion(numbers, prerelease: [.number(0)]) }

    /// The first version after all that begin with the same numbers up to a place.
    ///
    /// - Parameters:
    ///   - place: the index of the number that is one more.
    ///   - withPrereleases: whether it is the lowest prerelease of that version.
    /// - Returns: the version.
    func next(at place: Int, withPrereleases: Bool = true) -> TagVersion {
        TagVersion(numbers[..<place] + [numbers[place] + 1], prerelease: withPrereleases ? [.number(0)] : [])
    }

    /// The place of the number that `^` does not let change.
    func caretPlace(last: Int) -> Int { min(numbers.firstIndex { $0 != 0 } ?? last, 2) }
}
