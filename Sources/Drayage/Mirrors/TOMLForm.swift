/// Looks for what TOMLKit's parser is not asked to read: it ends the process over some texts that are not TOML, a list
/// that ends with a brace among them.
///
/// What `registries.conf` has passes: names, texts, `true` and `false`, whole numbers, lists and tables. Dates and other
/// numbers do not.
struct TOMLForm {
    /// What does not pass, and where.
    struct Fault: Error {
        let line: Int
        let reason: String
    }

    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    /// The lists and tables that are open.
    private var open: [UInt8] = []
    /// What came before; nil at the beginning of a line that belongs to nothing.
    private var previous: UInt8?

    private static let (list, table) = (UInt8(ascii: "["), UInt8(ascii: "{"))
    private static let quotes = Set("\"'".utf8)
    private static let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
    private static let bare = letters.union("+.:".utf8)
    /// What stands for a name or a value once it has been passed.
    private static let word = UInt8(ascii: "a")

    /// Looks through a whole text.
    ///
    /// - Throws: ``Fault``.
    static func check(_ bytes: [UInt8]) throws(Fault) {
        var form = TOMLForm(bytes: bytes)
        while form.index < bytes.count { try form.step() }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(at index: Int) -> UInt8? { bytes.indices.contains(index) ? bytes[index] : nil }

    private func fault(_ reason: String) -> Fault { Fault(line: line, reason: reason) }

    private mutating func step() throws(Fault) {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): index += 1
        case UInt8(ascii: "\n"):
            (index, line) = (index + 1, line + 1)
            if open.isEmpty { previous = nil }
        case UInt8(ascii: "#"): index = bytes[index...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        case _ where Self.quotes.contains(byte): passText(byte)
        case Self.list where previous == nil: try passHeader()
        case _ where Self.bare.contains(byte): try passWord()
        case UInt8(ascii: "}") where previous == Self.list || previous == UInt8(ascii: ","):
            throw fault("a value is missing before \"}\"")
        case 33...126:
            if byte == Self.list || byte == Self.table { open.append(byte) }
            if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") { _ = open.popLast() }
            (previous, index) = (byte, index + 1)
        default: throw fault("a character that can stand in a text alone")
        }
    }

    /// Passes a text in quotes of one kind, single or triple; one without an end is the parser's to refuse.
    private mutating func passText(_ quote: UInt8) {
        let isLong = byte(at: index + 1) == quote && byte(at: index + 2) == quote
        index += isLong ? 3 : 1
        previous = Self.word
        while let byte = byte(at: index) {
            if byte == UInt8(ascii: "\n") {
                guard isLong else { return }
                line += 1
            }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                // What follows is no end, whatever it is.
                if self.byte(at: index + 1) == UInt8(ascii: "\n") { line += 1 }
                index += 2
            } else if byte == quote, !isLong {
                index += 1
                return
            } else if byte == quote, self.byte(at: index + 1) == quote, self.byte(at: index + 2) == quote {
                index += 3
                // Two more of them belong to the text.
                for _ in 0..<2 where self.byte(at: index) == quote { index += 1 }
                return
            } else {
                index += 1
            }
        }
    }

    /// Passes the brackets that open the header of a table, which needs a name.
    private mutating func passHeader() throws(Fault) {
        index += 1
        passBlanks()
        if byte(at: index) == Self.list {
            index += 1
            passBlanks()
        }
        guard let next = byte(at: index),
            Self.letters.contains(next) || Self.quotes.contains(next) || next == UInt8(ascii: "]")
        else { throw fault("a table has no name") }
        previous = Self.word
    }

    private mutating func passBlanks() {
        while let byte = byte(at: index), byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { index += 1 }
    }

    private mutating func passWord() throws(Fault) {
        let end = bytes[index...].firstIndex { !Self.bare.contains($0) } ?? bytes.count
        let word = bytes[index..<end]
        if isValueExpected, !word.elementsEqual("true".utf8), !word.elementsEqual("false".utf8) {
            let isNumber = word.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard isNumber, word.count <= 18, word.count == 1 || word.first != UInt8(ascii: "0") else {
                throw fault("a value that is no text in quotes, no true or false and no whole number")
            }
        }
        (index, previous) = (end, Self.word)
    }

    private var isValueExpected: Bool {
        if previous == UInt8(ascii: "=") { return true }
        return open.last == Self.list && (previous == Self.list || previous == UInt8(ascii: ","))
    }
}
