/// The name of an upload session's directory: a UUID in lower case, and nothing else.
struct UploadID: Hashable, Sendable, CustomStringConvertible {
    let description: String

    private static let hyphens: Set<Int> = [8, 13, 18, 23]

    /// A name that nobody can guess.
    static func random() -> UploadID {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        // Version 4, variant 1.
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            if hyphens.contains(text.count) { text.append(UInt8(ascii: "-")) }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return UploadID(description: String(decoding: text, as: UTF8.self))
    }
}

extension UploadID {
    /// Takes a text that is a UUID in lower case; nil for any other.
    init?(parsing text: String) {
        let bytes = Array(text.utf8)
        let isForm = bytes.indices.allSatisfy { index in
            if Self.hyphens.contains(index) { return bytes[index] == UInt8(ascii: "-") }
            return UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index]
                || UInt8(ascii: "a")...UInt8(ascii: "f") ~= bytes[index]
        }
        guard bytes.count == 36, isForm else { return nil }
        description = text
    }
}
