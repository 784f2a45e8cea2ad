/// Which versions are meant: `>=1.2 <2`, `^1.2 || ~3.4`, `1.25.x`, `1.2 - 1.4`.
///
/// - Conditions with blanks or commas between them hold together; of the sets between `||` one has to hold.
/// - `=`, `!=`, `<`, `<=`, `>` and `>=` compare. What has fewer than three numbers, or `x` or `*` for the others, is
///   all that begins so: `1.2`, `=1.2` and `1.2.x` are one, `<=1.2` has 1.2.9 and `>1.2` has not. `*` is every version.
/// - `^1.2.3` is from there to before the next that changes the first number that is not zero: 2, for `^0.2.3` 0.3.
/// - `~1.2.3` is from there to before 1.3, `~1` to before 2.
/// - `1.2 - 1.4` has both of its ends, and so 1.4.9.
///
/// A prerelease is meant only where a condition of the same set, other than one with `!=`, names a prerelease, of
/// whatever version: `>=1.25` has no `1.27-rc1` and no `1.27-alpine`, which has the form of one; `>=1.25-0` has both.
/// Masterminds has it so since 3.4, while node asks for the same numbers too. `<2`, `<=1`, `^` and `~` never reach the
/// prereleases of the version at which they end; `<2.0.0` does.
public struct VersionRange: Sendable, CustomStringConvertible {
    /// The most bytes of a range.
    static let byteLimit = 512

    /// The range as it was written.
    public let description: String
    private let alternatives: [[VersionCondition]]

    /// Reads a range.
    ///
    /// - Throws: ``VersionRangeError`` with the rule that it breaks, and where.
    public init(parsing text: String) throws(VersionRangeError) {
        var parser = VersionRangeParser(text)
        alternatives = try parser.alternatives()
        description = text
    }

    /// Whether a tag is a version that is meant; what is no version is not.
    public func contains(_ tag: Tag) -> Bool { TagVersion(tag).map(contains) ?? false }

    /// Whether a version is meant.
    func contains(_ version: TagVersion) -> Bool {
        alternatives.contains { conditions in
            (!version.isPrerelease || conditions.contains(where: \.asksForPrereleases))
                && conditions.allSatisfy { $0.holds(for: version) }
        }
    }
}

/// One condition of a ``VersionRange``.
struct VersionCondition: Sendable {
    /// A limit to one side.
    enum Bound: Sendable {
        case above(TagVersion)
        case atLeast(TagVersion)
        case atMost(TagVersion)
        case below(TagVersion)

        func holds(for version: TagVersion) -> Bool {
            switch self {
            case .above(let limit): version > limit
            case .atLeast(let limit): version >= limit
            case .atMost(let limit): version <= limit
            case .below(let limit): version < limit
            }
        }
    }

    /// What has to hold together.
    let bounds: [Bound]
    /// Whether all is meant but what is within the bounds.
    var isNegated = false
    /// Whether it names a prerelease as one that is meant.
    var asksForPrereleases = false

    func holds(for version: TagVersion) -> Bool { bounds.allSatisfy { $0.holds(for: version) } != isNegated }
}
