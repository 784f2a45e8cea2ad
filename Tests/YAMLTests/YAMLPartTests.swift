import Testing
import YAML

@Suite struct YAMLPartTests {
    /// A text, and its parts with the lines in which they begin.
    @Test(arguments: [
        ("", []),
        ("# nothing\n\n---\n--- # and nothing\n", []),
        ("a: 1", [("a: 1", 1)]),
        ("a: 1\n---\nb: 2\n", [("a: 1\n", 1), ("---\nb: 2\n", 2)]),
        ("---\na\n--- b\n---\tc\n---", [("---\na\n", 1), ("--- b\n", 3), ("---\tc\n", 4)]),
        ("\u{feff}---\na", [("---\na", 1)]),
        ("a\r\n---\r\nb", [("a\r\n", 1), ("---\r\nb", 2)]),
        ("a\r---\rb", [("a\r", 1), ("---\rb", 2)]),
        // Only a whole word at the beginning of a line.
        ("a\n ---\n----\n---b\n", [("a\n ---\n----\n---b\n", 1)]),
        // Directives belong to what follows.
        (
            "%YAML 1.1\n---\na\n...\n# c\n%YAML 1.1\n# d\n---\nb",
            [
                ("%YAML 1.1\n---\na\n...\n# c\n", 1), ("%YAML 1.1\n# d\n---\nb", 6),
            ]
        ),
    ])
    func `a text falls into parts`(text: String, parts: [(String, Int)]) {
        let found = Array(YAMLParts(of: Array(text.utf8)))
        #expect(found.map { slice(text, $0.range) } == parts.map(\.0))
        #expect(found.map(\.firstLine) == parts.map(\.1))
    }

    /// A text, and its parts.
    @Test(
        arguments: [
            // Documents of JSON need nothing between them.
            (#"{"a": "{"} {"b": [-1.5e3, true, null]}"#, [#"{"a": "{"} "#, #"{"b": [-1.5e3, true, null]}"#]),
            ("--- {}[]\r\n\r\n[\n{}] ", ["--- {}", "[]\r\n\r\n", "[\n{}] "]),
            (#"{"a\"}": 1}{"b": "#, [#"{"a\"}": 1}"#, #"{"b": "#]),
            ("[1]\n---\n{}\n{}\n", ["[1]\n", "---\n{}\n", "{}\n"]),
            // What is no JSON is not taken apart.
            (#"{a: b"c, d: "}{"}"#, [#"{a: b"c, d: "}{"}"#]),
            ("{{ a }}\n{{ b }}", ["{{ a }}\n{{ b }}"]),
            ("{'a': '}'} {}", ["{'a': '}'} {}"]),
            ("[a, # ]\n{}]", ["[a, # ]\n{}]"]),
            ("[a]: {}", ["[a]: {}"]),
        ] as [(String, [String])]
    )
    func `documents of JSON are parts`(text: String, parts: [String]) {
        #expect(YAMLParts(of: Array(text.utf8)).map { slice(text, $0.range) } == parts)
    }

    @Test func `parts of a stream know their lines`() {
        let text = "\n{\n}\r\n{}\r{} {}\n"
        #expect(YAMLParts(of: Array(text.utf8)).map(\.firstLine) == [1, 4, 5, 5])
    }

    @Test func `a directive is read with its document`() throws {
        let text = "a\n...\n%TAG !y! tag:yaml.org,2002:\n---\n!y!str 1\n"
        #expect(try scalars(of: text).map(\.kind) == [.text, .text])
    }
}
