import Testing

@testable import Drayage

@Suite struct TagVersionTests {
    /// Each is lower than the next.
    @Test(arguments: [
        // Spec: semver 2.0.0 "Precedence", its own examples.
        ["1.0.0", "2.0.0", "2.1.0", "2.1.1"],
        [
            "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1", "1.0.0",
        ],
        // Numbers, not texts.
        ["1.9", "1.10", "1.11.0", "2"],
        ["1.2-9", "1.2-10", "1.2-9a", "1.2-a", "1.2"],
        // Numbers that are not there are zero.
        ["1", "1.0.0.1", "1.0.1", "1.1"],
        ["2023.12.31", "2024.01.05", "2024.1.6", "2024.10.01"],
        // A suffix is a prerelease, whatever it is meant for.
        ["3.19", "3.20-alpine", "3.20-slim", "3.20", "3.21-alpine"],
        ["999999999999999998", "999999999999999999"],
    ])
    func `versions have the order of semantic versions`(texts: [String]) throws {
        let versions = try texts.map { try version($0) }
        for (index, lower) in versions.enumerated() {
            for higher in versions[(index + 1)...] {
                #expect(lower < higher)
                #expect(!(higher < lower))
                #expect(lower != higher)
            }
        }
    }

    @Test(arguments: [
        ["1.2", "v1.2", "1.2.0", "1.2.0.0", "01.02"],
        // A build is of no weight.
        ["1.2.3", "1.2.3_4", "v1.2.3_build.5-x", "1.2.3_a_b"],
        ["1.2-rc.1", "v1.2.0-rc.01_7"],
    ])
    func `versions that differ in writing alone are of one rank`(texts: [String]) throws {
        for text in texts { #expect(try version(text) == version(texts[0])) }
    }

    @Test(arguments: [
        ("1.2.3", false), ("v1", false), ("1.2_rc1", false), ("1.2-rc1", true), ("1.2.3-0", true),
        ("3.20-alpine", true), ("1.2--", true),
    ])
    func `a prerelease is what has something after a hyphen`(text: String, isPrerelease: Bool) throws {
        #expect(try version(text).isPrerelease == isPrerelease)
    }

    @Test(arguments: [
        "latest", "v", "V1", "vv1", "1.", "1..2", "1.2.3.4.5", "1.2-", "1.2-a..b", "1.2-a.", "1.2_", "1.2rc1",
        "3.13.0a1", "alpine-3.20", "1.x", "_1", "1.2-a_", String(repeating: "9", count: 19),
        String(repeating: "9", count: 128), "1.2-" + String(repeating: "9", count: 19),
        String(repeating: "0", count: 128),
    ])
    func `a tag of another form is no version`(text: String) throws {
        #expect(TagVersion(try Tag(parsing: text)) == nil)
    }

    private func version(_ text: String) throws -> TagVersion {
        try #require(TagVersion(try Tag(parsing: text)), "\(text)")
    }
}
