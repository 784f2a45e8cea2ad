import OCI
import Testing

/// A pattern with what it is held against.
struct PatternVector: Sendable, CustomTestStringConvertible {
    let pattern: String
    let matching: [String]
    let other: [String]

    init(_ pattern: String, matches matching: [String], not other: [String]) {
        self.pattern = pattern
        self.matching = matching
        self.other = other
    }

    var testDescription: String { pattern }
}

@Suite struct RepositoryPatternTests {
    @Test(arguments: [
        PatternVector(
            "ghcr.io/acme/app",
            matches: ["ghcr.io/acme/app", "GHCR.IO/acme/app"],
            not: ["ghcr.io/acme/apps", "ghcr.io/acme", "ghcr.io/acme/app/x", "ghcr.io:5000/acme/app", "acme/app"]
        ),
        // One star stays within its part.
        PatternVector(
            "ghcr.io/acme/*",
            matches: ["ghcr.io/acme/app", "ghcr.io/acme/a", "Ghcr.io/acme/a.b-c_d"],
            not: ["ghcr.io/acme", "ghcr.io/acme/app/x", "ghcr.io/acme2/app", "xghcr.io/acme/app", "ghcr.io/x/acme/app"]
        ),
        PatternVector(
            "ghcr.io/acme/**",
            matches: ["ghcr.io/acme/app", "ghcr.io/acme/app/x/y"],
            not: ["ghcr.io/acme", "ghcr.io/acme2/app", "evil.io/ghcr.io/acme/app"]
        ),
        PatternVector(
            "ghcr.io/acme**",
            matches: ["ghcr.io/acme", "ghcr.io/acme/app", "ghcr.io/acme2/app"],
            not: ["ghcr.io/acm"]
        ),
        PatternVector(
            "ghcr.io/acme/*-base",
            matches: ["ghcr.io/acme/app-base", "ghcr.io/acme/a-base-base"],
            not: ["ghcr.io/acme/app-base2", "ghcr.io/acme/x/app-base", "ghcr.io/acme/base"]
        ),
        // A star is nothing as well, but a part is there where a slash is.
        PatternVector(
            "ghcr.io/a*b*c",
            matches: ["ghcr.io/abc", "ghcr.io/aabbcc"],
            not: ["ghcr.io/ab", "ghcr.io/a/bc"]
        ),
        PatternVector(
            "ghcr.io/**/app",
            matches: ["ghcr.io/acme/app", "ghcr.io/a/b/c/app"],
            not: ["ghcr.io/app", "ghcr.io/acme/xapp"]
        ),
        PatternVector(
            "*/acme/*",
            matches: ["ghcr.io/acme/app", "localhost:5000/acme/app", "acme/app"],
            not: ["ghcr.io/acme/a/b", "ghcr.io/x/acme/app"]
        ),
        PatternVector("**", matches: ["alpine", "[::1]:5000/a/b/c"], not: []),
        PatternVector("***", matches: ["alpine", "ghcr.io/a/b"], not: []),
        PatternVector("**/alpine", matches: ["alpine", "ghcr.io/a/alpine"], not: ["ghcr.io/a/alpine2"]),
        PatternVector(
            "*.example.com/**",
            matches: ["eu.example.com/a", "a.b.EXAMPLE.com/a/b"],
            not: ["example.com/a", "eu.example.com:5000/a"]
        ),
        PatternVector("[::1]:5000/*", matches: ["[::1]:5000/a"], not: ["[::1]/a", "[::1]:5000/a/b"]),
        PatternVector("localhost/*", matches: ["localhost/a"], not: ["localhost:5000/a"]),
        PatternVector("docker.io/library/*", matches: ["alpine", "docker.io/alpine"], not: ["acme/app"]),
        PatternVector("docker.io/**", matches: ["alpine", "acme/app"], not: ["ghcr.io/acme/app"]),
        // Without wildcards, as references are read.
        PatternVector(
            "alpine",
            matches: ["alpine", "docker.io/library/alpine"],
            not: ["alpine/git", "quay.io/alpine"]
        ),
        PatternVector("index.docker.io/acme/app", matches: ["acme/app"], not: ["acme/apps"]),
    ])
    func `a pattern is held against the whole name of a repository`(vector: PatternVector) throws {
        let pattern = try RepositoryPattern(parsing: vector.pattern)
        for text in vector.matching { #expect(pattern.matches(try repository(text)), "\(text)") }
        for text in vector.other { #expect(!pattern.matches(try repository(text)), "\(text)") }
    }

    @Test func `a pattern is shown as it was written, or in full where it has no wildcards`() throws {
        #expect(try RepositoryPattern(parsing: "ghcr.io/acme/*").description == "ghcr.io/acme/*")
        #expect(try RepositoryPattern(parsing: "alpine").description == "docker.io/library/alpine")
        let pattern = try RepositoryPattern(parsing: "docker.io/library/alpine")
        #expect(try RepositoryPattern(parsing: "alpine") == pattern)
    }

    /// Who tries one way to match after another would not come to an end with these.
    @Test(.timeLimit(.minutes(1)), arguments: ["*", "**"])
    func `a pattern of very many wildcards takes no longer than any other`(wildcard: String) throws {
        let pattern = try RepositoryPattern(
            parsing: "a.io/" + String(repeating: wildcard + "a", count: 500 / (wildcard.count + 1)) + wildcard + "b"
        )
        let longest = try repository("a.io/" + String(repeating: "a", count: 250))
        for _ in 0..<10 { #expect(!pattern.matches(longest)) }
        #expect(try RepositoryPattern(parsing: "a.io/" + String(repeating: "*a", count: 250)).matches(longest))
    }

    private func repository(_ text: String) throws -> Repository { try Reference(parsing: text).repository }

    /// Who means the same registry is not to be asked for another key.
    @Test(arguments: [
        ("ghcr.io/acme/*", "ghcr.io:443/acme/app"), ("ghcr.io:443/acme/*", "ghcr.io/acme/app"),
        ("docker.io/library/*", "registry-1.docker.io/library/alpine"),
        ("docker.io/acme/**", "index.docker.io/acme/app"),
        ("GHCR.io/acme/*", "ghcr.io:443/acme/app"),
    ])
    func `how a host is written is no way around a pattern`(pattern: String, name: String) throws {
        #expect(try RepositoryPattern(parsing: pattern).matches(Reference(parsing: name).repository))
    }
}
