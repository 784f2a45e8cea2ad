import Glibc

/// A regular expression for tags, in the extended form of POSIX; `\d` is `[0-9]` as well.
///
/// It is searched for in any part of a tag, unless it is anchored with `^` and `$`. The C library matches it, without
/// references back: that takes no time out of all proportion whatever the tag, which somebody else has chosen.
public struct TagRegex: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes of one.
    static let byteLimit = 512

    /// The expression.
    public let description: String
    private let pattern: String

    /// Reads an expression.
    ///
    /// - Throws: ``TagRegexError`` where it is none.
    public init(parsing text: String) throws(TagRegexError) {
        guard !text.isEmpty else { throw TagRegexError(.empty, in: text) }
        guard text.utf8.count <= Self.byteLimit, !text.utf8.contains(0) else {
            throw TagRegexError(.tooLong, in: text)
        }
        description = text
        pattern = try Self.extended(text)
        _ = try Compiled.make(pattern, of: text)
    }

    /// Writes out what POSIX does not have, and refuses what the C library would take for something else in silence.
    private static func extended(_ text: String) throws(TagRegexError) -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "[":
                let set = try set(beginning: &rest, of: text)
                result += "[" + set
            case "\\":
                guard let escaped = rest.popFirst() else {
                    throw TagRegexError(.invalid(reason: "trailing backslash"), in: text)
                }
                result += try escape(escaped, of: text)
            default: result.append(character)
            }
        }
        return result
    }

    /// What a backslash and a character are.
    private static func escape(_ character: Character, of text: String) throws(TagRegexError) -> String {
        switch character {
        case "d": return "[0-9]"
        case "D": return "[^0-9]"
        case "w", "W", "s", "S", "b", "B": return "\\\(character)"
        default:
            // Other letters stand for themselves there, and digits for what was matched before.
            guard !character.isLetter, !character.isNumber else {
                throw TagRegexError(.unknownEscape(character), in: text)
            }
            return "\\\(character)"
        }
    }

    /// The rest of a set, to its end: a bracket that comes first is one of its characters, and `[:digit:]` is one whole.
    private static func set(beginning rest: inout Substring, of text: String) throws(TagRegexError) -> String {
        var result = ""
        if rest.first == "^" { result.append(rest.removeFirst()) }
        if rest.first == "]" { result.append(rest.removeFirst()) }
        while let character = rest.popFirst() {
            // A backslash stands for itself there, which nobody means.
            guard character != "\\" else { throw TagRegexError(.escapeInSet, in: text) }
            result.append(character)
            if character == "]" { return result }
            guard character == "[", let mark = rest.first, ":.=".contains(mark),
                let end = rest.dropFirst().firstRange(of: "\(mark)]")
            else { continue }
            result += rest[..<end.upperBound]
            rest = rest[end.upperBound...]
        }
        return result
    }

    /// Takes the tags of which a part matches.
    ///
    /// - Throws: ``TagRegexError`` where the C library fails, for want of memory.
    func matches(among tags: some Sequence<Tag>) throws(TagRegexError) -> Set<Tag> {
        let compiled = try Compiled.make(pattern, of: description)
        var found: Set<Tag> = []
        for tag in tags where try compiled.matches(tag.description, of: description) { found.insert(tag) }
        return found
    }
}

/// An expression as the C library has it.
@safe
private struct Compiled: ~Copyable {
    private let pointer: UnsafeMutablePointer<regex_t>

    private init(pointer: UnsafeMutablePointer<regex_t>) { unsafe self.pointer = unsafe pointer }

    deinit {
        unsafe regfree(pointer)
        unsafe pointer.deallocate()
    }

    static func make(_ pattern: String, of text: String) throws(TagRegexError) -> Compiled {
        let pointer = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        unsafe pointer.initialize(to: regex_t())
        let status = unsafe regcomp(pointer, pattern, REG_EXTENDED | REG_NOSUB)
        guard status == 0 else {
            let reason = unsafe Self.reason(status, pointer)
            unsafe pointer.deallocate()
            throw TagRegexError(.invalid(reason: reason), in: text)
        }
        return unsafe Compiled(pointer: pointer)
    }

    func matches(_ tag: String, of text: String) throws(TagRegexError) -> Bool {
        let status = unsafe regexec(pointer, tag, 0, nil, 0)
        guard status == 0 || status == Int32(_REG_NOMATCH.rawValue) else {
            throw TagRegexError(.invalid(reason: unsafe Self.reason(status, pointer)), in: text)
        }
        return status == 0
    }

    private static func reason(_ status: Int32, _ pointer: UnsafeMutablePointer<regex_t>) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        let count = unsafe regerror(status, pointer, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count - 1)).map(UInt8.init(bitPattern:)), as: UTF8.self)
            .lowercased()
    }
}
