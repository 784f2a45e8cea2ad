/// What a `Range` header asks for.
enum ByteRange: Equatable {
    /// No range, or one in a form that a server may pass over: another unit, or several ranges.
    case whole
    case part(Range<Int64>)
    case unsatisfiable

    /// Reads a header for content of a size.
    init(_ header: String?, byteCount: Int64) {
        guard let header, header.lowercased().hasPrefix("bytes=") else {
            self = .whole
            return
        }
        let parts = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
            .map { $0.trimmingBlanks }
        guard parts.count == 2, parts.allSatisfy({ $0.isEmpty || Self.number($0) != nil }) else {
            self = .whole
            return
        }
        switch (Self.number(parts[0]), Self.number(parts[1])) {
        case (nil, nil): self = .whole
        case (nil, let suffix?):
            let start = max(0, byteCount - suffix)
            self = start < byteCount ? .part(start..<byteCount) : .unsatisfiable
        case (let start?, let end):
            let isValid = end.map { $0 >= start } ?? true
            self = isValid && start < byteCount ? .part(start..<min(byteCount, (end ?? .max - 1) + 1)) : .unsatisfiable
        }
    }

    /// Digits alone; what is beyond every file counts as the largest number.
    private static func number(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
        return min(Int64(text) ?? .max, .max - 1)
    }
}
