extension YAMLScalar {
    /// What a scalar is to those who read it.
    package enum Kind: Hashable, Sendable {
        case null
        case flag
        case number
        case text
    }

    /// What the scalar is: only a plain one without a tag may be anything but a text.
    package var kind: Kind { style == .plain && !isTaggedText ? Self.kind(ofPlain: value) : .text }

    /// What a text would be if it were written plainly.
    ///
    /// These are the rules of the readers that Kubernetes and Compose use: YAML 1.1 without its times and sexagesimal
    /// numbers.
    package static func kind(ofPlain text: String) -> Kind {
        // Nothing but a number has more characters.
        if text.utf8.count <= 5 {
            switch text.lowercased() {
            case "", "~", "null": return .null
            case "true", "false", "yes", "no", "on", "off", "y", "n": return .flag
            default: break
            }
        }
        return isNumber(text.utf8) ? .number : .text
    }

    private static let numberLengthLimit = 100

    private static func isNumber(_ text: String.UTF8View) -> Bool {
        // No number that anyone writes is longer, and a long text may be looked at often.
        guard text.count <= numberLengthLimit else { return false }
        var rest = text[...]
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        guard let first = rest.first, first == UInt8(ascii: ".") || isDigit(first) else { return false }
        if rest.count <= 4, [".inf", ".nan"].contains(Substring(rest).lowercased()) { return true }
        if rest.starts(with: "0x".utf8) { return rest.count > 2 && rest.dropFirst(2).allSatisfy(isHexDigit) }
        if rest.starts(with: "0o".utf8) { return rest.count > 2 && rest.dropFirst(2).allSatisfy(isDigit) }
        let whole = rest.prefix { $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }
        rest = rest.dropFirst(whole.count)
        var digits = whole.count
        guard whole.allSatisfy(isDigitOrUnderscore) else { return false }
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix(while: isDigitOrUnderscore)
            digits += fraction.count
            rest = rest.dropFirst(fraction.count + 1)
        }
        guard digits > 0, let exponent = rest.first else { return digits > 0 }
        guard exponent | 0x20 == UInt8(ascii: "e") else { return false }
        rest = rest.dropFirst()
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy(isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isDigitOrUnderscore(_ byte: UInt8) -> Bool { isDigit(byte) || byte == UInt8(ascii: "_") }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20
    }
}
