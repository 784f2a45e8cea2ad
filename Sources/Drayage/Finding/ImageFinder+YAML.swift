import YAML

extension ImageFinder {
    /// Reads YAML, document by document: what is wrong with one says nothing of the next.
    func imagesOfYAML(_ text: [UInt8]) -> [FoundImage] {
        let text = Self.withoutSurrogates(text)
        var found: [FoundImage] = []
        for part in YAMLParts(of: text) {
            do {
                var scanner = try DocumentScanner(part, of: text, guesses: guesses)
                while let objects = try scanner.nextDocument() {
                    var collector = ImageCollector(text: text, guesses: guesses)
                    for object in objects { collector.collect(object) }
                    found += collector.found.sorted { $0.offset < $1.offset }
                }
            } catch {
                let reason = error.description + hint(for: part, of: text)
                found.append(
                    FoundImage(
                        content: .problem(text: "", reason: reason),
                        offset: part.range.upperBound,
                        line: error.line
                    )
                )
            }
        }
        return found
    }

    /// A text in which the halves of JSON's escapes for rare characters, as in `\ud83d\ude00`, stand for nothing.
    ///
    /// YAML has no such pairs and libyaml refuses them; no image has any. Every other byte stays where it is.
    static func withoutSurrogates(_ text: [UInt8]) -> [UInt8] {
        var result = text
        var rest = text[...]
        while let start = rest.firstIndex(of: UInt8(ascii: "\\")) {
            let escape = text[start...].prefix(6)
            rest = text[(start + 1)...]
            guard escape.count == 6, escape[start + 1] == UInt8(ascii: "u"),
                escape[start + 2] | 0x20 == UInt8(ascii: "d"), escape[start + 3] >= UInt8(ascii: "8")
            else { continue }
            result.replaceSubrange(escape.indices, with: "\\ufffd".utf8)
        }
        return result
    }

    /// What to do about a document that cannot be read.
    private func hint(for part: YAMLPart, of text: [UInt8]) -> String {
        let bytes = text[part.range]
        let isTemplate = zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: "{") && $1 == UInt8(ascii: "{") }
        return isTemplate ? "; if it is a template, render the chart first: helm template" : ""
    }
}
