import YAML

/// A replacement of some bytes of a text.
struct TextEdit: Equatable {
    /// Where the value begins that this is a part of.
    let owner: Int
    let range: Range<Int>
    let text: String
}

/// Replacements that do not touch each other.
struct TextEdits {
    /// By their owners.
    private var edits: [Int: TextEdit] = [:]

    /// Adds all replacements, or none and says so: where a value stands for several images by way of aliases, it
    /// cannot be replaced by several texts.
    mutating func add(_ new: [TextEdit]) -> Bool {
        let isPossible = new.allSatisfy { edits[$0.owner] == nil || edits[$0.owner] == $0 }
        guard isPossible else { return false }
        for edit in new { edits[edit.owner] = edit }
        return true
    }

    /// The text with all replacements made.
    func applied(to text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var position = 0
        for edit in edits.values.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            result += text[position..<edit.range.lowerBound]
            result += edit.text.utf8
            position = edit.range.upperBound
        }
        return result + text[position...]
    }
}

extension TextEdit {
    /// A replacement that leaves a scalar as it is.
    init(leaving scalar: YAMLScalar, of source: RewritableText) {
        let owner = source.owner(of: scalar)
        self.init(owner: owner, range: owner..<owner, text: "")
    }

    /// The replacement of the end of a scalar, most often all of it; nil where it is written in no way that this
    /// knows, or stands for something else as well.
    ///
    /// - Parameters:
    ///   - old: what the scalar's value ends with.
    ///   - new: what it is to end with: a reference, or a part of one.
    ///   - scalar: the scalar.
    ///   - source: the whole text.
    init?(replacing old: String, by new: String, in scalar: YAMLScalar, of source: RewritableText) {
        guard old != new else {
            self.init(leaving: scalar, of: source)
            return
        }
        let owner = source.owner(of: scalar)
        let prefix = String(decoding: scalar.value.utf8.dropLast(old.utf8.count), as: UTF8.self)
        guard !source.isReplacedInPlace(scalar) else {
            self.init(owner: owner, range: scalar.use, text: Self.written(prefix, new))
            return
        }
        guard !source.isShared(scalar) else { return nil }
        var body = scalar.source
        switch scalar.style {
        case .plain, .block: break
        case .singleQuoted, .doubleQuoted: body = body.dropFirst().dropLast()
        }
        let isAsItIs = source.bytes[body].suffix(old.utf8.count).elementsEqual(old.utf8)
        if isAsItIs, scalar.style != .plain || Self.canBePlain(prefix, new, isInFlow: scalar.isInFlow) {
            self.init(owner: owner, range: body.suffix(old.utf8.count), text: new)
        } else if scalar.style != .block {
            self.init(owner: owner, range: scalar.source, text: Self.quoted(prefix + new))
        } else {
            return nil
        }
    }

    /// A text as it can stand anywhere.
    private static func written(_ prefix: String, _ new: String) -> String {
        prefix.isEmpty && canBePlain(prefix, new, isInFlow: true) ? new : quoted(prefix + new)
    }

    /// Whether a text means itself where it is written plainly.
    private static func canBePlain(_ prefix: String, _ new: String, isInFlow: Bool) -> Bool {
        if isInFlow, new.utf8.contains(where: { "[]".utf8.contains($0) }) { return false }
        guard prefix.isEmpty else { return true }
        // Some readers take `12:30` for a number.
        return !new.utf8.allSatisfy { $0 < UInt8(ascii: "A") } && new.utf8.first != UInt8(ascii: "[")
            && YAMLScalar.kind(ofPlain: new) == .text
    }

    /// The text in double quotes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count == 1 ? "0" : "") + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
