/// A part of a YAML text that can be read by itself: what lies between two lines that begin with `---`, or one of the
/// JSON documents that follow each other there.
///
/// Such a line begins a document wherever it stands, or is an error, so that an error in one part says nothing of
/// the next.
package struct YAMLPart: Hashable, Sendable {
    /// The part's bytes in the whole text.
    package let range: Range<Int>
    /// The line of the whole text in which it begins, counted from 1.
    package let firstLine: Int
}

/// The parts of a YAML text, one after the other.
package struct YAMLParts: Sequence, IteratorProtocol {
    private let text: [UInt8]
    private var start: Place
    /// What is left of a part that has several JSON documents.
    private var rest: (start: Place, end: Place)?

    /// The beginning of a line.
    private struct Place {
        var offset: Int
        var line: Int
    }

    private enum Line {
        case marker(isAlone: Bool)
        case directive
        case content
        /// A blank line or a comment.
        case nothing
    }

    /// Takes a text apart; a byte order mark at its beginning belongs to no part.
    package init(of text: [UInt8]) {
        self.text = text
        start = Place(offset: text.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0, line: 1)
    }

    /// The next part that has anything but blank lines and comments.
    package mutating func next() -> YAMLPart? {
        if let rest { return firstDocument(from: rest.start, to: rest.end) }
        while start.offset < text.count {
            let first = start
            if takePart() { return firstDocument(from: first, to: start) }
        }
        return nil
    }

    /// All of what lies between two lines, or the first of the JSON documents there.
    private mutating func firstDocument(from start: Place, to end: Place) -> YAMLPart {
        rest = nil
        let marker = text[start.offset...].starts(with: "---".utf8) ? 3 : 0
        guard let first = beginning(from: start.offset + marker, to: end.offset),
            let last = JSONExtent.end(in: text, at: first, before: end.offset),
            let next = beginning(from: last, to: end.offset)
        else { return YAMLPart(range: start.offset..<end.offset, firstLine: start.line) }
        var cursor = SourceCursor(text, at: start.offset, line: start.line)
        cursor.move(toOffset: next)
        rest = (Place(offset: next, line: cursor.line), end)
        return YAMLPart(range: start.offset..<next, firstLine: start.line)
    }

    /// The offset of a bracket or brace, if that comes first.
    private func beginning(from start: Int, to end: Int) -> Int? {
        guard let first = text[start..<end].firstIndex(where: { !$0.isBlankOrBreak }),
            text[first] == UInt8(ascii: "{") || text[first] == UInt8(ascii: "[")
        else { return nil }
        return first
    }

    /// Goes to the end of a part, and says whether there was anything in it.
    private mutating func takePart() -> Bool {
        var place = start
        var hasBegun = false
        var hasContent = false
        // Directives belong to the document that they stand before.
        var directives: Place?
        while place.offset < text.count {
            switch line(at: place.offset) {
            case .marker where hasBegun:
                start = directives ?? place
                return hasContent
            case .marker(let isAlone):
                hasBegun = true
                hasContent = !isAlone
            case .directive where hasBegun: directives = directives ?? place
            case .content:
                hasBegun = true
                hasContent = true
                directives = nil
            case .directive, .nothing: break
            }
            skipLine(&place)
        }
        start = place
        return hasContent
    }

    private func line(at offset: Int) -> Line {
        if text[offset] == UInt8(ascii: "%") { return .directive }
        if text[offset...].starts(with: "---".utf8), offset + 3 == text.count || text[offset + 3].isBlankOrBreak {
            return .marker(isAlone: isNothing(at: offset + 3))
        }
        return isNothing(at: offset) ? .nothing : .content
    }

    private func isNothing(at offset: Int) -> Bool {
        let first = text[offset...].first { !$0.isBlank }
        return first.map { $0.isBreak || $0 == UInt8(ascii: "#") } ?? true
    }

    private func skipLine(_ place: inout Place) {
        while place.offset < text.count {
            let byte = text[place.offset]
            place.offset += 1
            guard byte.isBreak else { continue }
            if byte == UInt8(ascii: "\r"), place.offset < text.count, text[place.offset] == UInt8(ascii: "\n") {
                place.offset += 1
            }
            break
        }
        place.line += 1
    }
}

extension UInt8 {
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
    var isBreak: Bool { self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") }
    var isBlankOrBreak: Bool { isBlank || isBreak }
}
