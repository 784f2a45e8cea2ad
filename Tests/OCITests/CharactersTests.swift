import OCI
import Testing

@Suite struct CharactersTests {
    // Not arguments of the test: the test runner prints those as they are.
    private static let vectors = [
        ("plain, with é, 漢字 and \"quotes\"", "plain, with é, 漢字 and \"quotes\""),
        ("", ""),
        // What moves the cursor, colours, rings, or ends a line.
        ("a\u{1b}[31mb", #"a\u{1B}[31mb"#),
        ("a\nb\r\nc\td", #"a\nb\r\nc\td"#),
        ("\u{7}\u{0}\u{7f}\u{9b}", #"\u{07}\0\u{7F}\u{009B}"#),
        // What reorders or hides text, or ends a line for some.
        ("a\u{202e}b\u{200b}c\u{feff}", #"a\u{202E}b\u{200B}c\u{FEFF}"#),
        ("a\u{2028}b\u{2029}", #"a\u{2028}b\u{2029}"#),
        ("\u{e000}\u{e0041}", #"\u{E000}\u{000E0041}"#),
    ]

    @Test func `an excerpt has 300 scalars at most, however they join`() {
        #expect("a\n".printableExcerpt == #"a\n"#)
        #expect(String(repeating: "a", count: 300).printableExcerpt == String(repeating: "a", count: 300))
        #expect(String(repeating: "a", count: 301).printableExcerpt == String(repeating: "a", count: 300) + "…")
        let oneCharacter = "a" + String(repeating: "\u{301}", count: 100_000)
        #expect(oneCharacter.printableExcerpt.unicodeScalars.count == 301)
    }

    @Test func `what must not reach a terminal is escaped`() {
        for (text, printable) in Self.vectors {
            #expect(text.printable == printable)
            #expect(text.printable.printable == printable)
        }
    }
}
