import OCI
import Testing

/// A text that is no pattern, with the rule that it breaks and where.
struct InvalidPatternVector: Sendable, CustomTestStringConvertible {
    let text: String
    let code: RepositoryPatternError.Code
    let offset: Int?

    init(_ text: String, _ code: RepositoryPatternError.Code, at offset: Int? = nil) {
        self.text = text
        self.code = code
        self.offset = offset
    }

    var testDescription: String { text.debugDescription }
}

@Suite struct RepositoryPatternErrorTests {
    @Test(arguments: [
        InvalidPatternVector("", .empty),
        InvalidPatternVector("a.io/" + String(repeating: "*", count: 508), .tooLong),
        InvalidPatternVector("alpine:3", .hasTag, at: 6),
        InvalidPatternVector("ghcr.io/acme/*:v1", .hasTag, at: 14),
        InvalidPatternVector("ghcr.io:443/acme/*:*", .hasTag, at: 18),
        InvalidPatternVector("**:3", .hasTag, at: 2),
        // As a reference has it: without a slash there is no host, and so no port.
        InvalidPatternVector("localhost:5000*", .hasTag, at: 9),
        InvalidPatternVector("alpine@sha256:\(f64)", .hasDigest, at: 6),
        InvalidPatternVector("ghcr.io/acme/*@*", .hasDigest, at: 14),
        // A port is the host's alone, and so are capitals and brackets.
        InvalidPatternVector("a.io/b:c/*", .invalidCharacter, at: 6),
        InvalidPatternVector("a.io/B*", .invalidCharacter, at: 5),
        InvalidPatternVector("a.io/[ab]*", .invalidCharacter, at: 5),
        InvalidPatternVector("a.io/a?*", .invalidCharacter, at: 6),
        InvalidPatternVector("a.io/{a,b}/*", .invalidCharacter, at: 5),
        InvalidPatternVector(" a.io/*", .invalidCharacter, at: 0),
        InvalidPatternVector("a.io/*\n", .invalidCharacter, at: 6),
        InvalidPatternVector("é.io/*", .invalidCharacter, at: 0),
        InvalidPatternVector("https://a.io/*", .emptyPart, at: 7),
        InvalidPatternVector("/a/*", .emptyPart, at: 0),
        InvalidPatternVector("a.io//*", .emptyPart, at: 5),
        InvalidPatternVector("a.io/*/", .emptyPart, at: 6),
    ])
    func `what is no pattern is refused with the rule and the place`(vector: InvalidPatternVector) {
        let error = #expect(throws: RepositoryPatternError.self) { try RepositoryPattern(parsing: vector.text) }
        #expect(error?.code == vector.code)
        #expect(error?.offset == vector.offset)
    }

    /// Nobody would notice that such a pattern is for nothing, and that nothing is asked of the images it was meant
    /// for.
    @Test(arguments: [
        "*", "alp*", "library/*", "acme/**/app", "ghcr.io", "ghcr.io*", "localhost", "registry/*",
        "docker.io/*", "docker.io/alp*", "index.docker.io/library/*", "a..io/*", "-a.io/*", "[::1/*",
    ])
    func `a pattern that is for nothing is refused`(text: String) {
        let error = #expect(throws: RepositoryPatternError.self) { try RepositoryPattern(parsing: text) }
        #expect(error?.code == .incomplete)
        #expect(error?.offset == nil)
    }

    @Test func `without wildcards the rules are those of references`() throws {
        for text in ["a.io/B", "a.io/", "a.io//b", "a b", String(repeating: "a", count: 256), f64] {
            let cause = #expect(throws: ReferenceError.self) { try Reference(parsing: text) }
            let error = #expect(throws: RepositoryPatternError.self) { try RepositoryPattern(parsing: text) }
            #expect(error?.code == cause.map { .notRepository($0) })
            #expect(error?.description == cause?.description)
        }
    }

    @Test func `the longest pattern is one`() throws {
        #expect(throws: Never.self) {
            try RepositoryPattern(parsing: "a.io/" + String(repeating: "*", count: 507))
        }
    }

    @Test func `an error shows the text, the rule and the place, without control characters`() {
        func message(_ text: String) -> String? {
            #expect(throws: RepositoryPatternError.self) { try RepositoryPattern(parsing: text) }?.description
        }
        let subject = "is not a valid pattern of repositories"
        #expect(message("") == "a pattern of repositories must not be empty")
        #expect(
            message("a.io/\u{1b}*")
                == #""a.io/\u{1B}*" \#(subject): no repository has such a character, at character 6 ("\u{1B}")"#
        )
        #expect(
            message("a.io/*:1")
                == #""a.io/*:1" \#(subject): it is for whole repositories, so it has no tag, at character 7 (":")"#
        )
        #expect(
            message("library/*")
                == #""library/*" \#(subject): it needs registry and path in full, as docker.io/library/*"#
        )
        #expect((message(String(repeating: "*", count: 100_000))?.utf8.count ?? 0) < 1000)
    }
}
