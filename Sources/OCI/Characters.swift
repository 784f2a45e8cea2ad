// The character classes of the reference and digest grammars, on bytes: all of them are ASCII.

extension UInt8 {
    var isDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }
    var isLower: Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= self }
    var isUpper: Bool { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self }
    var isLowerAlphanumeric: Bool { isDigit || isLower }
    var isAlphanumeric: Bool { isDigit || isLower || isUpper }
    var isLowerHex: Bool { isDigit || UInt8(ascii: "a")...UInt8(ascii: "f") ~= self }
    /// What a digit of which ``isLowerHex`` is true stands for.
    ///
    /// Without a branch, as digests are read by the thousand: letters alone have the bit of 64, and `a` is 1 beneath it.
    var lowerHexValue: UInt8 { (self & 15) + (self >> 6) * 9 }
    var isHex: Bool { isLowerHex || UInt8(ascii: "A")...UInt8(ascii: "F") ~= self }
}

extension String {
    /// The text with every control character (and the Unicode marks that reorder or hide text) shown as an escape.
    ///
    /// For whatever came from outside and goes to a terminal, a log or an error.
    package var printable: String {
        guard unicodeScalars.contains(where: \.isUnprintable) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isUnprintable {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The beginning of the text as ``printable``, for messages: what came from outside may have megabytes.
    package var printableExcerpt: String {
        let limit = 300
        let beginning = unicodeScalars.prefix(limit)
        return String(beginning).printable + (beginning.endIndex == unicodeScalars.endIndex ? "" : "…")
    }
}

extension Unicode.Scalar {
    fileprivate var isUnprintable: Bool {
        // Nearly all are ASCII, and properties are looked up in tables.
        guard value >= 0x80 else { return value < 0x20 || value == 0x7f }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: return true
        default: return false
        }
    }
}
