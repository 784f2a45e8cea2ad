import TestSupport
import Testing

@testable import Drayage

@Suite struct ImagePatternTests {
    /// A pattern, what it is in full, and references that it is for, and others.
    @Test(arguments: [
        (
            "alpine:3.*", "docker.io/library/alpine:3.*", ["alpine:3.20", "alpine:3.", "index.docker.io/alpine:3.1"],
            ["alpine:3", "alpine", "acme/alpine:3.20", "alpine:13.1", "alpine@sha256:\(f64)"]
        ),
        (
            "*:*-debug", "**:*-debug",
            ["alpine:1-debug", "ghcr.io/a/b/c:x-debug-debug", "a.io/b:1-debug@sha256:\(f64)"],
            ["alpine:debug", "alpine:1-debug2", "alpine:debug-"]
        ),
        ("*", "**", ["alpine:3", "ghcr.io/a/b", "a.io/b@sha256:\(f64)"], []),
        // Without a tag all of it, and what has only a digest.
        (
            "alpine", "docker.io/library/alpine", ["alpine", "alpine:3", "alpine@sha256:\(f64)"],
            ["alpine/git", "ghcr.io/alpine"]
        ),
        ("alpine:*", "docker.io/library/alpine:*", ["alpine:3"], ["alpine@sha256:\(f64)", "alpine"]),
        ("ghcr.io/acme/*", "ghcr.io/acme/*", ["ghcr.io/acme/app:1"], ["ghcr.io/acme/x/app:1"]),
        (
            "ghcr.io/acme/**:v?", "ghcr.io/acme/**:v?", ["ghcr.io/acme/x/y:v1"],
            ["ghcr.io/acme/x:v", "ghcr.io/acme/x:v10"]
        ),
        ("localhost:5000/a:?.?", "localhost:5000/a:?.?", ["localhost:5000/a:1.2"], ["localhost:5000/a:12"]),
        ("localhost:5000/a", "localhost:5000/a", ["localhost:5000/a:1"], ["localhost/a:1"]),
        ("[::1]:5000/*:1", "[::1]:5000/*:1", ["[::1]:5000/a:1"], ["[::1]:5000/a:2"]),
    ])
    func `a pattern is for repositories, and for tags after its colon`(
        text: String,
        inFull: String,
        matching: [String],
        other: [String]
    ) throws {
        let pattern = try ImagePattern(parsing: text)
        #expect(pattern.description == inFull)
        #expect(try ImagePattern(parsing: inFull) == pattern)
        for text in matching { #expect(pattern.matches(try Reference(parsing: text)), "\(text)") }
        for text in other { #expect(!pattern.matches(try Reference(parsing: text)), "\(text)") }
    }

    @Test(arguments: [
        ("**", "a", true), ("a**b", "ab", true), ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false),
        ("*.?", "1.2", true), ("*.?", "1.", false), ("?", "a", true), ("?", "ab", false), ("*a", "aba", true),
        ("a", "A", false), ("*-rc*", "1-r-rc-1", true), ("?*?", "a", false), ("?*?", "ab", true),
    ])
    func `a pattern of tags is held against the whole tag`(pattern: String, tag: String, isMatch: Bool) throws {
        #expect(TagGlob(pattern[...]).matches(try Tag(parsing: tag)) == isMatch)
    }

    /// Who tries one way to match after another would not come to an end with these.
    @Test(.timeLimit(.minutes(1))) func `very many stars take no longer than few`() throws {
        let pattern = try ImagePattern(parsing: "*:" + String(repeating: "*a", count: 127) + "*b")
        let tag = String(repeating: "a", count: 128)
        for _ in 0..<100 { #expect(!pattern.matches(try Reference(parsing: "alpine:\(tag)"))) }
    }

    @Test(
        arguments: [
            ("alpine:", ImagePatternError.Code.invalidTag, 7),
            ("alpine:a/b", .invalidRepository, nil),
            ("alpine:[ab]", .invalidTag, 7),
            ("alpine:3:4", .invalidTag, 8),
            ("*:é", .invalidTag, 2),
            ("alpine@sha256:\(f64)", .hasDigest, 6),
            ("alpine:3@sha256:\(f64)", .hasDigest, 8),
            ("*:" + String(repeating: "*", count: 257), .tooLong, nil),
            (String(repeating: "*", count: 5000), .tooLong, nil),
            ("library/*:3", .invalidRepository, nil),
            ("alp*:3", .invalidRepository, nil),
            ("ghcr.io/a?/*", .invalidRepository, 9),
            ("", .invalidRepository, nil),
            (":3", .invalidRepository, nil),
        ] as [(String, ImagePatternError.Code, Int?)]
    )
    func `what is no pattern is refused with the place`(text: String, code: ImagePatternError.Code, offset: Int?) {
        let error = #expect(throws: ImagePatternError.self) { try ImagePattern(parsing: text) }
        #expect(error?.code == code)
        #expect(error?.offset == offset)
        #expect(error?.text == text)
    }

    @Test func `an error says what is wrong, and where`() {
        func message(_ text: String) -> String? {
            #expect(throws: ImagePatternError.self) { try ImagePattern(parsing: text) }?.description
        }
        #expect(
            message("*:\u{1b}")
                == #""*:\u{1B}" is not a valid pattern of images: after the colon it needs a tag, "#
                + #"in which * stands for any characters and ? for one, at character 3 ("\u{1B}")"#
        )
        #expect(
            message("library/*:3")
                == #""library/*" is not a valid pattern of repositories: "#
                + "it needs registry and path in full, as docker.io/library/*"
        )
    }
}

@Suite struct TagWildcardTests {
    @Test(
        arguments: [
            ("alpine:*", "docker.io/library/alpine"), ("ghcr.io/acme/app:*", "ghcr.io/acme/app"),
            ("localhost:5000/a:*", "localhost:5000/a"), ("alpine", nil), ("alpine:3", nil), ("alpine:3*", nil),
            ("alpine:*-debug", nil), ("alpine:**", nil), ("", nil),
        ] as [(String, String?)]
    )
    func `a star for the tag means all tags of the repository`(text: String, repository: String?) throws {
        #expect(try TagWildcard.repository(of: text)?.description == repository)
    }

    @Test(arguments: [
        (":*", ReferenceError.Code.nameEmpty, 0),
        ("Alpine:*", .nameContainsUppercase, 0),
        ("alpine:3:*", .invalidTag, 8),
        ("localhost:5000:*", .invalidTag, 14),
        ("alpine@sha256:\(f64):*", .invalidFormat, 78),
        ("ghcr.io/*:*", .invalidFormat, 8),
    ])
    func `what precedes the star has to be a repository alone`(text: String, code: ReferenceError.Code, offset: Int) {
        let error = #expect(throws: ReferenceError.self) { try TagWildcard.repository(of: text) }
        #expect(error?.code == code)
        #expect(error?.offset == offset)
    }
}
