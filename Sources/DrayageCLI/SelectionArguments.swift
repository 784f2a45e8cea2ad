import ArgumentParser
import Drayage

/// Which tags are taken of repositories of which all are asked for, and what is left out.
struct SelectionArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Of repository:*, take the tags that this matches in any part: '^v?[0-9.]+$'.",
            valueName: "regex"
        )
    )
    var tagsMatching: String?

    @Option(
        help: ArgumentHelp(
            "Of repository:*, take the versions in this range: '>=1.2 <2', '^1.2', '1.x || 2.1'.",
            valueName: "range"
        )
    )
    var tagsSemver: String?

    @Option(
        help: ArgumentHelp(
            "Of repository:*, take so many tags at most, those of the highest versions.",
            valueName: "number"
        )
    )
    var newest: Int?

    @Option(
        help: ArgumentHelp(
            "Leave out what is named so: 'ghcr.io/acme/**', '*:*-debug', 'alpine:edge'. Repeatable.",
            valueName: "pattern"
        )
    )
    var exclude: [String] = []

    /// Whether anything is chosen or left out.
    var isGiven: Bool { choosesTags || !exclude.isEmpty }

    /// Whether tags are chosen.
    var choosesTags: Bool { tagsMatching != nil || tagsSemver != nil || newest != nil }

    func validate() throws {
        guard newest.map({ $0 > 0 }) ?? true else { throw ValidationError("--newest takes a number from 1 on") }
        _ = try selection()
    }

    /// The selection.
    ///
    /// - Throws: `ValidationError` for what is none.
    func selection() throws -> TagSelection {
        var selection = TagSelection()
        selection.newest = newest
        do {
            selection.matching = try tagsMatching.map { try TagRegex(parsing: $0) }
            selection.versions = try tagsSemver.map { try VersionRange(parsing: $0) }
            selection.excluded = try exclude.map { try ImagePattern(parsing: $0) }
        } catch {
            throw ValidationError("\(error)")
        }
        return selection
    }
}
