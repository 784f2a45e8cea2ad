// What tags are made of: all of it is ASCII.

extension UInt8 {
    /// Whether it is one of 0 to 9.
    var isDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }

    /// Whether a tag may have it, in whatever place.
    var isTagCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit || "_.-".utf8.contains(self)
        }
    }
}
