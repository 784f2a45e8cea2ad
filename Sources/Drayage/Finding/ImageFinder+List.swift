// Plain lists: one reference a line; what follows `#` at a line's start or after a blank is a comment.
extension ImageFinder {
    /// Reads a list.
    static func imagesOfList(_ text: [UInt8]) -> [FoundImage] {
        guard let list = String(validating: text, as: UTF8.self) else {
            let problem = FoundImage.Content.problem(text: "", reason: "it is not a text in UTF-8; save it as UTF-8")
            return [FoundImage(content: problem, offset: 0, line: 1)]
        }
        var found: [FoundImage] = []
        let lines = withoutMark(list).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let entry = withoutComment(line)
            guard !entry.isEmpty else { continue }
            let start = list.utf8.distance(from: list.startIndex, to: entry.startIndex)
            let content = content(of: String(entry), at: start..<(start + entry.utf8.count))
            found.append(FoundImage(content: content, offset: start, line: index + 1))
        }
        return found
    }

    /// What an entry of a list is.
    private static func content(of text: String, at range: Range<Int>) -> FoundImage.Content {
        do {
            if let repository = try TagWildcard.repository(of: text) {
                let name = String(text.dropLast(TagWildcard.suffix.count))
                return .allTags(repository, text: name, .bytes(range.lowerBound..<(range.lowerBound + name.utf8.count)))
            }
            return .image(try Reference(parsing: text), text: text, .bytes(range))
        } catch {
            return .problem(text: FoundImage.excerpt(of: text), reason: error.description)
        }
    }

    /// A text without the byte order mark at its beginning.
    static func withoutMark(_ text: String) -> Substring {
        text.unicodeScalars.first == "\u{feff}" ? text[text.unicodeScalars.index(after: text.startIndex)...] : text[...]
    }

    /// A line without its comment and the white space around it.
    static func withoutComment(_ line: Substring) -> Substring {
        let end = commentStart(in: line) ?? line.endIndex
        var rest = line[..<end].trimmingPrefix(while: \.isWhitespace)
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return rest
    }

    private static func commentStart(in line: Substring) -> Substring.Index? {
        // Most lines have none, and to go through characters takes a while.
        guard line.utf8.contains(UInt8(ascii: "#")) else { return nil }
        var previousIsBlank = true
        for index in line.indices {
            if line[index] == "#", previousIsBlank { return index }
            previousIsBlank = line[index].isWhitespace
        }
        return nil
    }

    /// What an argument is: it is an entry of a list, without comments.
    func findings(inArgument text: String) -> Findings {
        let content = Self.content(of: text, at: 0..<text.utf8.count)
        var findings = Findings([], name: "")
        findings.add(FoundImage(content: content, offset: 0, line: 1), place: "argument")
        return findings
    }
}
