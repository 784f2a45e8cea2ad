import FoundationEssentials

/// The fields of a JSON object, with their values as they are written: a number keeps all its digits.
struct JSONFields {
    private var values: [String: [UInt8]] = [:]

    /// Takes an object apart; nil where the text is none, or has a field twice.
    init?(_ text: [UInt8]) {
        // What follows looks only for the marks between the fields of a text that is JSON.
        guard String(validating: text, as: UTF8.self) != nil,
            let known = try? JSONDecoder().decode([String: Ignored].self, from: Data(text))
        else { return nil }
        var splitter = Splitter()
        for byte in text { splitter.take(byte) }
        for (key, value) in splitter.fields {
            guard let key = try? JSONDecoder().decode(String.self, from: Data(key)) else { return nil }
            values[key] = value
        }
        guard values.count == known.count, values.count == splitter.fields.count else { return nil }
    }

    /// The text of a value; nil where there is none of that name.
    subscript(key: String) -> [UInt8]? {
        get { values[key] }
        set { values[key] = newValue }
    }

    /// The object in one way only: sorted keys, no spaces.
    var bytes: [UInt8] {
        get throws(LayoutError) {
            var result: [UInt8] = [UInt8(ascii: "{")]
            for (key, value) in values.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                if result.count > 1 { result.append(UInt8(ascii: ",")) }
                result += try deterministicJSON(key) + [UInt8(ascii: ":")] + value
            }
            return result + [UInt8(ascii: "}")]
        }
    }

    /// A value that is not looked at.
    private struct Ignored: Decodable {
        init(from decoder: any Decoder) {}
    }
}

/// Splits the text of a JSON object at its own colons and commas, and leaves out the spaces.
private struct Splitter {
    private(set) var fields: [(key: [UInt8], value: [UInt8])] = []
    private var key: [UInt8] = []
    private var text: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    mutating func take(_ byte: UInt8) {
        if isInString {
            text.append(byte)
            isInString = isEscaped || byte != UInt8(ascii: "\"")
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        } else {
            takeOutsideString(byte)
        }
    }

    private mutating func takeOutsideString(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): return
        case UInt8(ascii: ":") where depth == 1: (key, text) = (text, [])
        case UInt8(ascii: ",") where depth == 1: endField()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > 1 { text.append(byte) }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if depth > 0 { text.append(byte) } else { endField() }
        default:
            isInString = byte == UInt8(ascii: "\"")
            text.append(byte)
        }
    }

    private mutating func endField() {
        // An object without fields has an end as well.
        if !key.isEmpty { fields.append((key, text)) }
        (key, text) = ([], [])
    }
}
