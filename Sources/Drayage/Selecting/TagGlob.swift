/// A pattern of tags, in which `*` stands for any characters, none included, and `?` for any one.
struct TagGlob: Hashable, Sendable {
    /// The most bytes of a pattern: a tag has 128, and there may be wildcards between any two of them.
    static let byteLimit = 256

    private let pattern: [UInt8]

    /// Takes a pattern of characters that tags have, and wildcards.
    init(_ pattern: Substring) { self.pattern = Array(pattern.utf8) }

    /// The index of the first byte that no pattern of tags may have, nil where there is none.
    static func firstInvalid(in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.firstIndex { !$0.isTagCharacter && !"*?".utf8.contains($0) }
    }

    /// Whether a tag matches as a whole.
    ///
    /// Only the last star is ever tried anew: what those before it stand for is as short as can be, and none longer
    /// would let more match. So the time is the product of both lengths and no more.
    func matches(_ tag: Tag) -> Bool {
        let text = Array(tag.description.utf8)
        var (place, step) = (0, 0)
        // The step after the last star, and where in the text what it stands for ends.
        var lastStar: (step: Int, end: Int)?
        while place < text.count {
            if step < pattern.count, pattern[step] == UInt8(ascii: "*") {
                step += 1
                lastStar = (step, place)
            } else if step < pattern.count, pattern[step] == UInt8(ascii: "?") || pattern[step] == text[place] {
                (place, step) = (place + 1, step + 1)
            } else if let star = lastStar {
                (place, step) = (star.end + 1, star.step)
                lastStar = (star.step, place)
            } else {
                return false
            }
        }
        return pattern[step...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
