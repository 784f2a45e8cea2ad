import TestSupport
import Testing
import YAML

@Suite struct YAMLErrorTests {
    private func error(of text: String) -> YAMLError? {
        #expect(throws: YAMLError.self) { try events(of: Array(text.utf8)) }
    }

    /// A text, the line of its error, and libyaml's reason.
    @Test(arguments: [
        ("a:\n\tb: c", 2, "while scanning for the next token, found character that cannot start any token"),
        ("a: b: c", 1, "mapping values are not allowed in this context"),
        ("a: 1\n---\n\nb: [1\n", 5, "while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: 'b", 1, "while scanning a quoted scalar, found unexpected end of stream"),
    ])
    func `a syntax error has its line and its reason`(text: String, line: Int, reason: String) {
        let error = error(of: text)
        #expect(error?.code == .syntax(reason: reason))
        #expect(error?.line == line)
        #expect(error?.description == "it is not valid YAML: \(reason)")
    }

    @Test(arguments: [[0xff], [0xe2, 0x82], [0xc0, 0x80], [0x00], [0x1b]] as [[UInt8]])
    func `what is not text is an error with its line`(bytes: [UInt8]) {
        let error = #expect(throws: YAMLError.self) { try events(of: Array("a: b\nc: \"".utf8) + bytes) }
        #expect(error?.line == 2)
        guard case .encoding? = error?.code else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? "])
    func `very deep nesting is an error`(opening: String) throws {
        let error = error(of: String(repeating: opening, count: 100_000))
        #expect(error?.code == .tooDeep(limit: YAMLReader.depthLimit))
        let most = YAMLReader.depthLimit
        let text = String(repeating: "[", count: most) + String(repeating: "]", count: most)
        #expect(try events(of: Array(text.utf8)).count == 2 * most + 2)
    }

    @Test func `very many anchors are an error`() {
        let lines = (0...YAMLReader.anchorLimit).map { "- &a\($0) x\n" }.joined()
        #expect(error(of: lines)?.code == .tooManyAnchors(limit: YAMLReader.anchorLimit))
        #expect(error(of: lines)?.line == YAMLReader.anchorLimit + 1)
    }

    @Test func `aliases of aliases stay small`() throws {
        let lines = (1...30).map {
            "- &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ", "))]\n"
        }
        #expect(try events(of: Array(("- &a0 [x]\n" + lines.joined()).utf8)).count < 1000)
    }

    @Test(arguments: 1...4) func `damaged texts are read to an end or an error`(seed: UInt64) {
        let text = Array(
            "%YAML 1.1\n---\na: &x [1, 'b', \"c\\n\"]\r\né: *x\n--- |\n block\n...\n? {k: v}\n: !!str >-\n  t\n".utf8
        )
        var generator = SplitMix64(seed: seed)
        for _ in 0..<250 {
            var damaged = text
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[index] = damaged.randomElement(using: &generator) ?? 0
            }
            damaged = Array(damaged.prefix(Int.random(in: 0...damaged.count, using: &generator)))
            do {
                for case .scalar(let scalar) in try events(of: damaged) {
                    #expect(scalar.source.upperBound <= damaged.count)
                }
            } catch {
                #expect((1...13).contains(error.line))
            }
        }
    }
}
