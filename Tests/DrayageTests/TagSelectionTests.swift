import TestSupport
import Testing

@testable import Drayage

@Suite struct TagSelectionTests {
    private func select(
        _ tags: [String],
        matching: String? = nil,
        versions: String? = nil,
        newest: Int? = nil,
        excluding excluded: [String] = []
    ) throws -> [String] {
        var selection = TagSelection()
        selection.matching = try matching.map { try TagRegex(parsing: $0) }
        selection.versions = try versions.map { try VersionRange(parsing: $0) }
        selection.newest = newest
        selection.excluded = try excluded.map { try ImagePattern(parsing: $0) }
        let repository = try Reference(parsing: "ghcr.io/acme/app").repository
        return try selection.select(tags.map { try Tag(parsing: $0) }, of: repository).map(\.description)
    }

    @Test func `without rules all tags come, versions first, each once`() throws {
        let expected = ["1.2-rc1", "1.2", "1.2.0", "v1.2", "1.10", "Beta", "latest", "main"]
        #expect(try select(expected) == expected)
        #expect(try select(expected.reversed() + expected) == expected)
        #expect(try select([]).isEmpty)
    }

    @Test func `what is attached to a digest is no tag of its own`() throws {
        let attached = ["", ".sig", ".att", ".sbom"].map { "sha256-\(f64)\($0)" }
        #expect(try select(attached + ["sha256-abc", "1"]) == ["1", "sha256-abc"])
        #expect(try select(attached, matching: "sha256").isEmpty)
    }

    @Test func `every rule takes away from what the others left`() throws {
        let tags = ["1.24", "1.25", "1.25-alpine", "1.26", "1.26-alpine", "1.27", "1.27-alpine", "latest", "alpine"]
        #expect(try select(tags, matching: "alpine") == ["1.25-alpine", "1.26-alpine", "1.27-alpine", "alpine"])
        #expect(try select(tags, versions: ">=1.25") == ["1.25", "1.26", "1.27"])
        #expect(try select(tags, matching: "-alpine$", versions: ">=1.26-0") == ["1.26-alpine", "1.27-alpine"])
        #expect(try select(tags, versions: "<1.27", newest: 2) == ["1.25", "1.26"])
        #expect(try select(tags, newest: 2, excluding: ["ghcr.io/acme/*:1.27", "*:*-alpine"]) == ["1.25", "1.26"])
        #expect(try select(tags, excluding: ["ghcr.io/acme/app"]).isEmpty)
        #expect(try select(["1", "2"], excluding: ["ghcr.io/acme/other:*"]) == ["1", "2"])
    }

    @Test(arguments: [
        (["1.0", "1.1", "1.2", "1.3-rc1"], 3, ["1.0", "1.1", "1.2"]),
        (["1.9", "1.10", "1.8", "latest"], 2, ["1.9", "1.10"]),
        // Where there are no releases, prereleases are what there is.
        (["1.9-alpine", "1.10-alpine", "1.8-alpine", "alpine"], 2, ["1.9-alpine", "1.10-alpine"]),
        (["1.2", "1.2.0", "v1.1"], 2, ["1.2", "1.2.0"]),
        (["1", "1.27", "1.27.3", "1.26"], 2, ["1.27", "1.27.3"]),
        (["1.0", "latest"], 5, ["1.0"]),
        (["latest"], 1, []),
        (["1.0"], 0, []),
        (["1.0"], -1, []),
    ])
    func `the newest are the highest releases`(tags: [String], newest: Int, expected: [String]) throws {
        #expect(try select(tags, newest: newest) == expected)
    }

    @Test func `prereleases are among the newest where the range has them`() throws {
        let tags = ["1.0", "1.1", "1.2-rc1", "2.0-rc1"]
        #expect(try select(tags, versions: ">=1.0-0 <2", newest: 2) == ["1.1", "1.2-rc1"])
        #expect(try select(tags, versions: ">=1.0", newest: 2) == ["1.0", "1.1"])
        #expect(try select(["1.2-rc1"], versions: ">=1.0", newest: 2).isEmpty)
    }
}

/// Texts that nobody wrote: no parser may end the process or hang, and an error has no control characters.
@Suite struct RandomSelectionTests {
    private static let pieces = [
        "a", "v", "1", "0", "12", ".", "-", "_", "+", "*", "?", "x", "X", "||", "|", ">=", "<", "=", "!=", "!", "^",
        "~",
        " - ", " ", ",", "\t", "(", ")", "(?:", "[", "]", "[a-z]", "{2,5}", "{", "}", "\\", "\\d", "$", "/", ":", "@",
        "ghcr.io/", "**", "alpine", ":*", "\n", "\r\n", "\0", "\u{1b}", "é", "👩‍👩‍👧", "\u{301}", "\u{202e}",
        String(repeating: "9", count: 19), String(repeating: "a", count: 120),
    ]

    @Test(.timeLimit(.minutes(1)), arguments: 1...4) func `texts`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        let reference = try Reference(parsing: "ghcr.io/acme/app:1.2-rc1_\(String(repeating: "a", count: 110))")
        let tag = try #require(reference.tag)
        var accepted = 0
        for _ in 0..<500 {
            let text = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                Self.pieces.randomElement(using: &generator) ?? ""
            }.joined()
            accepted += check(text) { _ = try VersionRange(parsing: text).contains(tag) }
            accepted += check(text) { _ = try TagRegex(parsing: text).matches(among: [tag]) }
            accepted += check(text) { _ = try ImagePattern(parsing: text).matches(reference) }
            accepted += check(text) { _ = try TagWildcard.repository(of: text) }
            accepted += check(text) {
                let other = try Tag(parsing: text)
                #expect(try VersionRange(parsing: "*").contains(other) == (TagVersion(other)?.isPrerelease == false))
            }
        }
        #expect(accepted > 100)
    }

    /// - Returns: 1 where the text was taken.
    private func check(_ text: String, _ work: () throws -> Void) -> Int {
        do {
            try work()
            return 1
        } catch {
            #expect("\(error)" == "\(error)".printable)
            return 0
        }
    }
}
