/// A place in a text, by its characters, its bytes and its lines.
///
/// libyaml counts characters; who reads or changes a file needs bytes. The cursor goes from one place to the next, so
/// that a whole text is gone through once.
struct SourceCursor {
    private let text: [UInt8]
    private var character = 0
    /// The offset of the place in bytes.
    private(set) var offset: Int
    /// The line of the place, counted from 1.
    private(set) var line: Int

    init(_ text: [UInt8], at offset: Int, line: Int) {
        self.text = text
        self.offset = offset
        self.line = line
    }

    /// Goes to a character, counted from where the cursor was first.
    mutating func move(toCharacter target: Int) {
        while character < target, offset < text.count {
            if endsLine(offset) { line += 1 }
            offset += 1
            while offset < text.count, isContinuation(text[offset]) { offset += 1 }
            character += 1
        }
        // A scalar of no characters may lie a little before what was seen last.
        while character > target {
            offset -= 1
            while isContinuation(text[offset]) { offset -= 1 }
            if endsLine(offset) { line -= 1 }
            character -= 1
        }
    }

    /// Goes to a byte that lies further on.
    mutating func move(toOffset target: Int) {
        while offset < min(target, text.count) {
            if endsLine(offset) { line += 1 }
            if !isContinuation(text[offset]) { character += 1 }
            offset += 1
        }
    }

    /// The offset of the first byte that is no part of an anchor or a tag, nor a blank or a comment after one.
    func offset(afterPropertiesBefore end: Int) -> Int {
        var index = offset
        while index < end {
            switch text[index] {
            case UInt8(ascii: "&"), UInt8(ascii: "!"): skip(&index, to: end) { $0.isBlankOrBreak }
            case UInt8(ascii: "#"): skip(&index, to: end) { $0.isBreak }
            case let byte where byte.isBlankOrBreak: index += 1
            default: return index
            }
        }
        return end
    }

    /// The offset of the place without the blanks and line ends before it.
    func offset(beforeBlanksAfter start: Int) -> Int {
        var end = offset
        while end > start, text[end - 1].isBlankOrBreak { end -= 1 }
        return end
    }

    private func skip(_ index: inout Int, to end: Int, until isEnd: (UInt8) -> Bool) {
        while index < end, !isEnd(text[index]) { index += 1 }
    }

    private func endsLine(_ offset: Int) -> Bool {
        switch text[offset] {
        case UInt8(ascii: "\n"): true
        case UInt8(ascii: "\r"): offset + 1 == text.count || text[offset + 1] != UInt8(ascii: "\n")
        default: false
        }
    }

    private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }
}
