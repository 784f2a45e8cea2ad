/// The `Content-Range` header: which bytes an answer has, and of how many.
///
/// Spec: RFC 9110 "Content-Range".
package struct ContentRange: Hashable, Sendable {
    /// The first byte.
    package let first: Int64
    /// The last byte.
    package let last: Int64
    /// The size of the whole; nil where it is not said.
    package let byteCount: Int64?

    /// Reads a header, `bytes 0-499/1234` or `bytes 0-499/*`; nil where it is none, or makes no sense.
    package init?(_ header: String) {
        let words = header.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bytes" else { return nil }
        let parts = words[1].split(separator: "/", omittingEmptySubsequences: false)
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]),
            first <= last
        else { return nil }
        self.first = first
        self.last = last
        if parts[1] == "*" {
            byteCount = nil
        } else {
            guard let whole = Self.number(parts[1]), last < whole else { return nil }
            byteCount = whole
        }
    }

    /// Digits alone: no sign, which the standard library would read.
    private static func number(_ text: Substring) -> Int64? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int64(text) : nil
    }
}
