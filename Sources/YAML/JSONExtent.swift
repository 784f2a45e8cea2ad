/// Finds where a document of JSON ends: such documents may follow each other with no sign between them.
///
/// YAML has no such streams. What this takes for JSON may be YAML as well, but never ends elsewhere as such.
struct JSONExtent {
    private let text: [UInt8]
    private var offset: Int
    private var depth = 0
    /// The byte that came last and is no white space; of a string it is the quote at its end.
    private var last = UInt8(ascii: " ")

    /// The offset of the byte after the object or the list that begins at an offset; nil where there is none before
    /// the end of what is looked at.
    static func end(in text: [UInt8], at start: Int, before end: Int) -> Int? {
        var extent = JSONExtent(text: text, offset: start)
        while extent.offset < end {
            guard extent.takeSign(before: end) else { return nil }
            if extent.depth == 0 { return extent.offset }
        }
        return nil
    }

    private init(text: [UInt8], offset: Int) {
        self.text = text
        self.offset = offset
    }

    /// Goes on by a sign, a string, or a byte of a literal or of white space, unless it cannot stand there.
    private mutating func takeSign(before end: Int) -> Bool {
        let byte = text[offset]
        offset += 1
        guard !byte.isBlankOrBreak else { return true }
        defer { last = byte }
        let opens = last == UInt8(ascii: "[") || last == UInt8(ascii: ",") || last == UInt8(ascii: ":")
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            return opens || depth == 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            return depth >= 0
        case UInt8(ascii: ","): return depth > 0
        case UInt8(ascii: ":"): return last == UInt8(ascii: "\"")
        case UInt8(ascii: "\""): return (opens || last == UInt8(ascii: "{")) && skipString(before: end)
        // A number, or one of three words.
        default: return isOfLiteral(byte) && (opens || isOfLiteral(last))
        }
    }

    private mutating func skipString(before end: Int) -> Bool {
        while offset < end {
            let byte = text[offset]
            offset += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return true }
        }
        return false
    }

    private func isOfLiteral(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
