import Testing
import YAML

@Suite struct YAMLReaderTests {
    @Test func `a document is a sequence of events`() throws {
        let names = try events(of: Array("a: [1, b]\n".utf8)).map { event in
            switch event {
            case .documentStart: "document"
            case .documentEnd: "end"
            case .mappingStart(let start): start.isFlow ? "{" : "mapping"
            case .sequenceStart(let start): start.isFlow ? "[" : "sequence"
            case .collectionEnd: "]"
            case .scalar(let scalar): scalar.value
            case .alias: "*"
            }
        }
        #expect(names == ["document", "mapping", "a", "[", "1", "b", "]", "]", "end"])
    }

    /// A text, the value of its last scalar, its bytes in the text, and its line.
    @Test(arguments: [
        ("a: b", "b", "b", 1),
        ("a:\n  b # c\n", "b", "b", 2),
        ("a: 'it''s'", "it's", "'it''s'", 1),
        (#"a: "b\u0063" # c"#, "bc", #""b\u0063""#, 1),
        // Characters of more than one byte before it.
        ("é: \"€ 😀\"\nü: b", "b", "b", 2),
        // Windows line ends.
        ("a: 1\r\nb: 2\r\nc: d\r\n", "d", "d", 3),
        ("a: 1\rb: d\r", "d", "d", 2),
        // A byte order mark.
        ("\u{feff}a: b", "b", "b", 1),
        ("\u{feff}---\na: 1\n---\né: b", "b", "b", 4),
        // A mark of the text is no part of the scalar.
        ("a: &x b", "b", "b", 1),
        ("a: !!str &x 'b'", "b", "'b'", 1),
        ("a: &x # c\n  b", "b", "b", 2),
        ("a: !<tag:yaml.org,2002:str> b", "b", "b", 1),
        // A block is all its lines.
        ("a: >- # c\n  b\n\nc: &x |\n  d\n", "d\n", "|\n  d", 4),
        ("a: |2-\n   b\n", " b", "|2-\n   b", 1),
        // Nothing at all.
        ("a:", "", "", 1),
        ("a: &x", "", "", 1),
        ("b: {a: , c}", "", "", 1),
    ])
    func `a scalar has its bytes and its line`(text: String, value: String, source: String, line: Int) throws {
        let scalar = try #require(try scalars(of: text).last)
        #expect(scalar.value == value)
        #expect(slice(text, scalar.source) == source)
        #expect(scalar.use == scalar.source)
        #expect(scalar.line == line)
    }

    @Test func `an alias is the scalar that it stands for`() throws {
        let text = "é: &x 'b'\nü: [*x]\n"
        let scalar = try #require(try scalars(of: text).last)
        #expect(scalar.value == "b")
        #expect(slice(text, scalar.source) == "'b'")
        #expect(slice(text, scalar.use) == "*x")
        #expect(scalar.line == 2)
        #expect(!scalar.isInFlow)
    }

    @Test func `an alias of a mapping is not gone through`() throws {
        let all = try events(of: Array("a: &x {b: c}\nd: *x\ne: &y [*y]\n".utf8))
        #expect(all.count { $0 == .alias } == 2)
    }

    @Test(arguments: ["a: *x", "a: &x b\n---\nc: *x", "a: &x b\n...\n---\nc: *x"])
    func `an anchor is known in its document only`(text: String) {
        let error = #expect(throws: YAMLError.self) { try events(of: Array(text.utf8)) }
        #expect(error?.code == .unknownAlias)
        #expect(error?.line == text.split(separator: "\n").count)
    }

    @Test func `what lies between brackets says so`() throws {
        let all = try scalars(of: "- a\n- [b, {c: d}]\n- e\n- {f: [g], h}\n- i\n")
        #expect(all.filter(\.isInFlow).map(\.value) == ["b", "c", "d", "f", "g", "h", ""])
    }

    @Test func `the end of a collection is the byte behind it`() throws {
        let text = "é: {b: [c]} # d"
        let ends = try events(of: Array(text.utf8)).compactMap { event in
            if case .collectionEnd(let end) = event { slice(text, 0..<end) } else { nil }
        }
        #expect(ends.prefix(2) == ["é: {b: [c]", "é: {b: [c]}"])
    }
}
