/// The parameters of a URL.
struct Query {
    private let values: [String: [String]]

    /// Takes the part after the question mark apart; what is not well encoded is left as it is.
    init(_ text: Substring) {
        var values: [String: [String]] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : ""
            values[String(parts[0]), default: []]
                .append(PercentEncoding.decode(value, plusIsSpace: true) ?? String(value))
        }
        self.values = values
    }

    /// The first value of a parameter, which is the one that counts where there can be one only.
    subscript(name: String) -> String? { values[name]?.first }

    /// All values of a parameter.
    func all(_ name: String) -> [String] { values[name] ?? [] }
}

/// Percent-encoding in paths and queries.
///
/// Spec: RFC 3986 "Percent-Encoding".
enum PercentEncoding {
    /// The text without escapes; nil where one is malformed or the bytes are not UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The text as the value of a parameter.
    static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let scalar = Unicode.Scalar(byte)
            if byte < 128, scalar.properties.isAlphabetic || byte.isASCIIDigit || "-._~".utf8.contains(byte) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
