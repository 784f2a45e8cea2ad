// Whether a text is a list or YAML, of which JSON is a part.
extension ImageFinder {
    /// Whether a text is a plain list of references, by its first line that is neither blank nor a comment.
    ///
    /// A reference has no `: ` in it and ends in no colon; so what does is YAML.
    public static func isList(_ text: [UInt8]) -> Bool {
        let text = text.starts(with: [0xef, 0xbb, 0xbf]) ? text[3...] : text[...]
        var rest = text
        while let start = rest.firstIndex(where: { !isBlank($0) && !isBreak($0) }) {
            let line = rest[start...].prefix { !isBreak($0) }
            if line.first != UInt8(ascii: "#") { return !isYAML(withoutComment(line)) }
            rest = rest[line.endIndex...]
        }
        return true
    }

    private static func isYAML(_ line: ArraySlice<UInt8>) -> Bool {
        switch line.first {
        case UInt8(ascii: "{"): true
        // A host may be an address in brackets.
        case UInt8(ascii: "["): !isReference(line)
        case UInt8(ascii: "%"): line.starts(with: "%YAML".utf8)
        case UInt8(ascii: "?"): isMarked(line, by: "?")
        case UInt8(ascii: "-"): isMarked(line, by: "-") || isMarked(line, by: "---") || hasKey(line)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): hasQuotedKey(line)
        default: hasKey(line)
        }
    }

    /// Whether a line is a sign of YAML, or begins with one and a blank.
    private static func isMarked(_ line: ArraySlice<UInt8>, by sign: String) -> Bool {
        line.starts(with: sign.utf8) && line.dropFirst(sign.utf8.count).first.map(isBlank) ?? true
    }

    /// Whether there is a colon before a blank or the end.
    private static func hasKey(_ line: ArraySlice<UInt8>) -> Bool {
        line.indices.contains { index in
            line[index] == UInt8(ascii: ":") && line[(index + 1)...].first.map(isBlank) ?? true
        }
    }

    private static func hasQuotedKey(_ line: ArraySlice<UInt8>) -> Bool {
        guard let quote = line.first, let end = line.dropFirst().lastIndex(of: quote) else { return false }
        let rest = line[(end + 1)...].drop(while: isBlank)
        return rest.first == UInt8(ascii: ":") || hasKey(line)
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let comment = line.indices.dropFirst().first { line[$0] == UInt8(ascii: "#") && isBlank(line[$0 - 1]) }
        var rest = line[..<(comment ?? line.endIndex)]
        while let last = rest.last, isBlank(last) { rest = rest.dropLast() }
        return rest
    }

    private static func isReference(_ line: ArraySlice<UInt8>) -> Bool {
        do {
            _ = try Reference(parsing: String(decoding: line, as: UTF8.self))
            return true
        } catch {
            // What it is instead is found out by who reads it as YAML.
            return false
        }
    }

    private static func isBreak(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
