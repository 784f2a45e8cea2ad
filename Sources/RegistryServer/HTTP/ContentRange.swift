/// The `Content-Range` of a piece of an upload: `start-end`, both counted.
struct ContentRange: Equatable {
    let start: Int64
    let byteCount: Int64

    /// Reads the specification's form, and the one of RFC 9110 that some clients send: `bytes start-end/size`.
    init?(_ header: String) {
        let bare = header.hasPrefix("bytes ") ? header.dropFirst(6).prefix { $0 != "/" } : header[...]
        let parts = bare.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(\.isASCIIDigit) }),
            let start = Int64(parts[0]), let end = Int64(parts[1]), end >= start, end < .max
        else { return nil }
        self.start = start
        byteCount = end - start + 1
    }
}
