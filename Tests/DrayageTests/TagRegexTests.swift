import TestSupport
import Testing

@testable import Drayage

let f64 = String(repeating: "f", count: 64)

@Suite struct TagRegexTests {
    private func matches(_ regex: TagRegex, _ text: String) throws -> Bool {
        try !regex.matches(among: [try Tag(parsing: text)]).isEmpty
    }

    /// An expression, and tags that it matches, and others.
    @Test(arguments: [
        // Any part, unless it is anchored.
        ("1.2", ["1.2", "v1.2.3", "1x2", "0-1-2"], ["12", "2.1"]),
        (#"^1\.2$"#, ["1.2"], ["v1.2", "1.2.3", "1x2"]),
        (#"^v?\d+\.\d+$"#, ["v1.2", "10.20"], ["1.2.3", "1.", "vv1.2"]),
        ("-alpine$", ["3.20-alpine"], ["alpine", "3-alpine-x"]),
        ("^$", [], ["a"]),
        (".*", ["a"], []),
        // Alternatives reach to the ends of their group.
        ("^(main|release-.+)$", ["main", "release-1"], ["release-", "mainx", "xmain"]),
        ("^main|release$", ["mainx", "xrelease"], ["xmain", "releasex"]),
        ("^ab{1,2}$", ["ab", "abb"], ["a", "abbb"]),
        (#"^[0-9a-f]{7,40}$"#, ["deadbeef"], ["deadbee-", "abcdef"]),
        // A bracket that comes first is one of the set's characters.
        (#"^[]x-]+\d$"#, ["x-1"], ["x-d"]),
        ("^[^]a]$", ["b"], ["a"]),
        (#"^[0-9.]+\D$"#, ["1.2a"], ["1.2"]),
        (#"^\w+$"#, ["aZ_9"], ["a-b", "a.b"]),
        (#"^[[:digit:].]+\.[a[]$"#, ["1.2.a"], ["1.2", "x.a"]),
    ])
    func `an expression is searched for`(text: String, matching: [String], other: [String]) throws {
        let regex = try TagRegex(parsing: text)
        #expect(regex.description == text)
        for text in matching { #expect(try matches(regex, text), "\(text)") }
        for text in other { #expect(try !matches(regex, text), "\(text)") }
    }

    @Test(arguments: [
        ("", "a regular expression for tags must not be empty: write .* for all tags"),
        ("a(b", #""a(b" is no regular expression: unmatched ( or \("#),
        ("[a-", #""[a-" is no regular expression: unmatched [, [^, [:, [., or [="#),
        (
            #"^[\d.]+$"#,
            #""^[\d.]+$" is no regular expression: a backslash stands for itself within [ ]; write [0-9.] and not [\d.]"#
        ),
        ("a{3,2}", #""a{3,2}" is no regular expression: invalid content of \{\}"#),
        (#"a\"#, #""a\" is no regular expression: trailing backslash"#),
        (
            #"\Av1"#,
            #""\Av1" is no regular expression: \A means nothing here; there are \d \D \w \W \s \S \b \B, and \. for a dot"#
        ),
        (
            #"(a)\1"#,
            #""(a)\1" is no regular expression: \1 means nothing here; there are \d \D \w \W \s \S \b \B, and \. for a dot"#
        ),
        ("a\u{1b}(", #""a\u{1B}(" is no regular expression: unmatched ( or \("#),
    ])
    func `what is no expression is refused in words`(text: String, message: String) {
        let error = #expect(throws: TagRegexError.self) { try TagRegex(parsing: text) }
        #expect(error?.description == message)
    }

    @Test func `one that is too long is refused`() {
        let error = #expect(throws: TagRegexError.self) { try TagRegex(parsing: String(repeating: "a", count: 513)) }
        #expect(error?.code == .tooLong)
    }

    /// Who tries one way to match after another would not come to an end with these.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "(a+)+$", "(a|aa)+$", "(.*a){12}b", "(a*)*b", "((a*)*)*b", #"^([a-z]+)*\.$"#, "^([a-z0-9]+-?)+$",
        ]
    )
    func `no tag takes long`(text: String) throws {
        let regex = try TagRegex(parsing: text)
        let tag = String(repeating: "a", count: 127) + "-"
        #expect(try matches(regex, tag) == (text == "^([a-z0-9]+-?)+$"))
    }
}
