import Testing

@testable import Drayage

@Suite struct ImageFinderListTests {
    /// A text, and whether it is a plain list.
    @Test(arguments: [
        ("", true), ("# only\n\n", true), ("alpine", true), ("alpine:3.20\nb: c", true), ("\n # c\n  alpine:1", true),
        ("alpine:1 # note: this", true), ("a@sha256:b", true), ("[::1]:5000/a:1", true), ("localhost:5000/a", true),
        ("---", false), ("--- # c", false), ("\u{feff}---\n", false), ("%YAML 1.1", false), ("{}", false),
        ("[a]", false), ("- a", false), ("-", false), ("# c\n\n  a: b", false), ("a:", false), ("a:\t1", false),
        ("\"a b\": c", false), ("'a':", false), ("\"a\":1", false), ("a b: c", false), ("{{- if }}", false),
        ("a:\r\n  b", false), ("app: # c", false), ("--flag", true), ("----", true),
    ])
    func `the first line says whether a text is a list`(text: String, isList: Bool) {
        #expect(ImageFinder.isList(Array(text.utf8)) == isList)
    }

    @Test(arguments: [
        "alpine:1\n\n# c\nb:1 # c\n", "\u{feff}alpine:1\r\nalpine:2\r\n", "alpine:1\ralpine:2",
        "a:1\u{85}b:1\u{2028}c:1",
        " \u{a0}a:1\u{a0}\n#x", "a:1\nUpper:1\na#b\nc d\n\u{301}e\n",
    ])
    func `a list is read as lists always are`(text: String) {
        let findings = find(text)
        var list = ImageList()
        list.add(contentsOf: text, name: "f")
        do {
            let entries = try list.checkedEntries()
            #expect(findings.occurrences.map(\.text) == entries.map(\.text))
            #expect(findings.occurrences.map(\.place) == entries.map(\.place))
            #expect(findings.problems.isEmpty)
        } catch {
            #expect("\(error)" == findings.problems.map(\.description).joined(separator: "\n"))
        }
    }
}
