/// Takes the words of a TOML text, one after the other.
struct TOMLScanner {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    private static let nameBytes = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
    private static let wordBytes = nameBytes.union("+.:".utf8)
    private static let (quote, backslash, newline) = (UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "\n"))
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    init(bytes: [UInt8]) {
        // Some editors begin a file with this mark.
        self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    }

    func error(_ reason: String) -> TOMLError { TOMLError(line: line, reason: reason) }

    /// The byte that comes next; nil at the end.
    var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func byte(after count: Int) -> UInt8? { index + count < bytes.count ? bytes[index + count] : nil }

    mutating func take() {
        if next == Self.newline { line += 1 }
        index = min(index + 1, bytes.count)
    }

    /// Takes a character where it is the next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next.map({ UInt32($0) == character.value }) ?? false else { return false }
        take()
        return true
    }

    mutating func skipBlanks() { while next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { take() } }

    /// Takes the rest of a line, in which there may be a comment alone.
    mutating func endLine() throws(TOMLError) {
        skipBlanks()
        if next == UInt8(ascii: "#") {
            while let byte = next, byte != Self.newline {
                guard isPrintable(byte) || byte == UInt8(ascii: "\r") else { throw error("a control character") }
                take()
            }
        }
        if next == UInt8(ascii: "\r"), byte(after: 1) == Self.newline { take() }
        guard next == nil || take("\n") else { throw error("more than one value, or no value, in a line") }
    }

    /// Takes blanks, comments and the ends of lines.
    mutating func skipLines() throws(TOMLError) {
        skipBlanks()
        while let byte = next, byte == UInt8(ascii: "#") || byte == UInt8(ascii: "\r") || byte == Self.newline {
            try endLine()
            skipBlanks()
        }
    }

    private func isPrintable(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\t") || (byte >= 32 && byte != 127) }

    /// Takes a name, bare or in quotes.
    mutating func name() throws(TOMLError) -> String {
        if next == Self.quote || next == UInt8(ascii: "'") {
            guard !isLong else { throw error("a name in three quotes") }
            return try text()
        }
        let name = bytes[index...].prefix(while: Self.nameBytes.contains)
        guard !name.isEmpty else { throw error("a name is missing") }
        index += name.count
        return String(decoding: name, as: UTF8.self)
    }

    /// Takes `true`, `false`, a number or a date.
    mutating func word() throws(TOMLError) -> TOMLValue {
        let word = bytes[index...].prefix(while: Self.wordBytes.contains)
        if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) {
            index += word.count
            return .flag(word.count == 4)
        }
        let unsigned = word.first == UInt8(ascii: "+") || word.first == UInt8(ascii: "-") ? word.dropFirst() : word
        let isNumber = unsigned.first.map(Self.digits.contains) ?? false
        guard isNumber || unsigned.elementsEqual("inf".utf8) || unsigned.elementsEqual("nan".utf8) else {
            throw error("a value is missing, or is a text without quotes")
        }
        index += word.count
        // A date and its time may have a blank between them.
        if word.count == 10, word.count(where: { $0 == UInt8(ascii: "-") }) == 2, next == UInt8(ascii: " "),
            byte(after: 1).map(Self.digits.contains) ?? false
        {
            take()
            index += bytes[index...].prefix(while: Self.wordBytes.contains).count
        }
        return .other
    }

    // MARK: - Texts

    /// Whether three quotes come next.
    private var isLong: Bool { next == byte(after: 1) && next == byte(after: 2) }

    /// Takes a text in quotes: single or double, one or three of them.
    mutating func text() throws(TOMLError) -> String {
        guard let mark = next else { throw error("a text is missing") }
        let isLong = isLong
        for _ in 0..<(isLong ? 3 : 1) { take() }
        if isLong {
            if next == UInt8(ascii: "\r"), byte(after: 1) == Self.newline { take() }
            _ = take("\n")
        }
        var text: [UInt8] = []
        while let byte = next {
            if byte == mark, !isLong || self.isLong {
                for _ in 0..<(isLong ? 3 : 1) { take() }
                // Two more of them belong to the text.
                for _ in 0..<2 where isLong && next == mark {
                    text.append(mark)
                    take()
                }
                return String(decoding: text, as: UTF8.self)
            }
            let endsLine = byte == Self.newline || (byte == UInt8(ascii: "\r") && self.byte(after: 1) == Self.newline)
            guard isPrintable(byte) || (isLong && endsLine) else { break }
            take()
            if byte == Self.backslash, mark == Self.quote { try escape(into: &text, isLong) } else { text.append(byte) }
        }
        throw error("a text has no end in its line, or a control character")
    }

    /// Takes what follows a backslash.
    private mutating func escape(into text: inout [UInt8], _ isLong: Bool) throws(TOMLError) {
        let plain: [UInt8: UInt8] = [
            UInt8(ascii: "b"): 8, UInt8(ascii: "t"): 9, UInt8(ascii: "n"): 10, UInt8(ascii: "f"): 12,
            UInt8(ascii: "r"): 13, Self.quote: Self.quote, Self.backslash: Self.backslash,
        ]
        guard let byte = next else { throw error("a text has no end") }
        if let value = plain[byte] {
            text.append(value)
            return take()
        }
        if byte == UInt8(ascii: "u") || byte == UInt8(ascii: "U") {
            take()
            let digits = bytes[index...].prefix(byte == UInt8(ascii: "u") ? 4 : 8)
            let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
            guard digits.count == (byte == UInt8(ascii: "u") ? 4 : 8),
                digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let scalar = number.flatMap(Unicode.Scalar.init)
            else { throw error("a character is written as there is none") }
            text += Array(String(Character(scalar)).utf8)
            index += digits.count
            return
        }
        // At the end of a line it takes away all that is blank.
        let rest = bytes[index...].drop {
            $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
        }
        guard isLong, rest.first == Self.newline else { throw error("a backslash before what it does not go with") }
        while let byte = next, byte == Self.newline || " \t\r".utf8.contains(byte) { take() }
    }
}
