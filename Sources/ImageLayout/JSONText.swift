import OCI

/// JSON as ``deterministicJSON(_:)`` makes it, in a fraction of the time.
///
/// A bundle of thousands of images waits for its index before anything of it can be fetched.
struct JSONText {
    private(set) var bytes: [UInt8] = []

    /// Adds marks, and keys that need no escapes.
    mutating func append(_ marks: StaticString) {
        marks.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
    }

    /// Adds a number.
    mutating func append(number: Int64) { bytes.append(contentsOf: String(number).utf8) }

    /// Adds a text.
    ///
    /// Spec: RFC 8259 "Strings".
    mutating func append(text: String) {
        append("\"")
        if Self.standsForItself(text) {
            bytes.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { append(escaping: byte) }
        }
        append("\"")
    }

    private static func standsForItself(_ text: String) -> Bool {
        let bytes = text.utf8Span.span
        for index in bytes.indices {
            let byte = bytes[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
        }
        return true
    }

    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(#"\""#)
        case UInt8(ascii: "\\"): append(#"\\"#)
        case 0x08: append(#"\b"#)
        case 0x09: append(#"\t"#)
        case 0x0a: append(#"\n"#)
        case 0x0c: append(#"\f"#)
        case 0x0d: append(#"\r"#)
        case ..<0x10: bytes.append(contentsOf: "\\u000\(String(byte, radix: 16))".utf8)
        case ..<0x20: bytes.append(contentsOf: "\\u00\(String(byte, radix: 16))".utf8)
        default: bytes.append(byte)
        }
    }

    /// Adds items with commas between.
    mutating func append<Item, Failure: Error>(
        _ items: some Sequence<Item>,
        _ append: (inout JSONText, Item) throws(Failure) -> Void
    ) throws(Failure) {
        var isFirst = true
        for item in items {
            if !isFirst { self.append(",") }
            isFirst = false
            try append(&self, item)
        }
    }

    /// Adds a descriptor.
    ///
    /// Spec: image "OCI Content Descriptors".
    mutating func append(_ descriptor: Descriptor) throws(LayoutError) {
        append("{")
        if let annotations = descriptor.annotations {
            append(#""annotations":{"#)
            append(annotations.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) { text, annotation in
                text.append(text: annotation.key)
                text.append(":")
                text.append(text: annotation.value)
            }
            append("},")
        }
        if let type = descriptor.artifactType {
            append(#""artifactType":"#)
            append(text: type)
            append(",")
        }
        append(#""digest":"#)
        append(text: descriptor.digest.description)
        append(#","mediaType":"#)
        append(text: descriptor.mediaType.rawValue)
        if let platform = descriptor.platform {
            append(#","platform":"#)
            bytes += try deterministicJSON(platform)
        }
        append(#","size":"#)
        append(number: descriptor.size)
        if let urls = descriptor.urls {
            append(#","urls":["#)
            append(urls) { $0.append(text: $1) }
            append("]")
        }
        append("}")
    }
}
