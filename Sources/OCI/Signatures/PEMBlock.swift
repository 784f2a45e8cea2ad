import FoundationEssentials

/// The one block of a PEM text.
///
/// It is taken apart here and not by OpenSSL, which passes over blocks that it was not asked for: a key is to be
/// refused by the name of what it is.
///
/// Spec: RFC 7468 "Textual Encoding of PKIX, PKCS, and CMS Structures".
struct PEMBlock: Hashable, Sendable {
    /// What the block says that it holds: `PUBLIC KEY`.
    let label: String
    /// The content; nil where it is not Base64, or has headers before it, as old encrypted keys do.
    let content: [UInt8]?

    /// Finds the block; whatever stands around it is passed over.
    ///
    /// - Parameter text: the text, with lines that end in any way.
    /// - Throws: ``SignatureError`` with `empty`, `notPEM` or `severalBlocks`.
    init(parsing text: [UInt8]) throws(SignatureError) {
        let lines = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map(Self.trimmed)
        guard lines.contains(where: { !$0.isEmpty }) else { throw SignatureError(.empty) }
        let starts = lines.indices.filter { Self.label(of: lines[$0], after: "-----BEGIN ") != nil }
        guard let start = starts.first, let label = Self.label(of: lines[start], after: "-----BEGIN ") else {
            throw SignatureError(.notPEM)
        }
        // Which of them was meant is not for us to guess.
        guard starts.count == 1 else { throw SignatureError(.severalBlocks) }
        let rest = lines[(start + 1)...]
        guard let end = rest.firstIndex(where: { Self.label(of: $0, after: "-----END ") == label }) else {
            throw SignatureError(.notPEM)
        }
        self.label = label
        content = Data(base64Encoded: Data(rest[..<end].joined())).map(Array.init)
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let kept = line.drop(while: isBlank)
        return kept[..<(kept.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? kept.startIndex)]
    }

    private static func label(of line: ArraySlice<UInt8>, after beginning: String) -> String? {
        let end = "-----"
        guard line.starts(with: beginning.utf8), line.count > beginning.utf8.count + end.utf8.count,
            line.suffix(end.utf8.count).elementsEqual(end.utf8)
        else { return nil }
        return String(decoding: line.dropFirst(beginning.utf8.count).dropLast(end.utf8.count), as: UTF8.self)
    }
}
