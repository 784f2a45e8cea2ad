import NIOHTTP1
import OCI

/// What an answer says besides itself: how its registry calls the request, and what it warns of.
struct AnswerRemarks: Hashable, Sendable {
    /// The names under which registries and clouds give the id, the first that is there.
    private static let idNames = ["X-Request-Id", "Docker-Request-Id", "X-Amzn-Requestid", "X-GitHub-Request-Id"]
    private static let idLimit = 128
    private static let warningLimit = 300
    /// The most warnings of one answer.
    private static let warningCountLimit = 4

    /// What to tell those who run the registry.
    let requestID: String?
    /// What the registry would have people know.
    let warnings: [String]

    /// Reads them, all harmless to print, and none long.
    init(_ headers: HTTPHeaders) {
        requestID = Self.idNames.lazy.compactMap { headers.first(name: $0) }.first { !$0.isEmpty }.map {
            Self.beginning($0, Self.idLimit)
        }
        warnings = Array(
            headers["Warning"].lazy.flatMap(Self.values).compactMap(Self.warning).prefix(Self.warningCountLimit)
        )
    }

    /// The values of a field, between commas that are in no quotes.
    private static func values(_ field: String) -> [String] {
        var (isQuoted, isEscaped) = (false, false)
        let values = field.utf8.split(maxSplits: warningCountLimit) { byte in
            defer { isEscaped = isQuoted && !isEscaped && byte == UInt8(ascii: "\\") }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            return byte == UInt8(ascii: ",") && !isQuoted
        }
        return values.map { String(decoding: $0.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self) }
    }

    /// The text of a warning of the one kind that registries give: `299 - "text"`.
    ///
    /// Spec: distribution "Warnings".
    private static func warning(_ header: String) -> String? {
        let parts = header.utf8.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard parts.count == 3, parts[0].elementsEqual("299".utf8), let quote = parts[2].first,
            quote == UInt8(ascii: "\"")
        else { return nil }
        var (text, isEscaped): ([UInt8], Bool) = ([], false)
        for byte in parts[2].dropFirst() {
            if !isEscaped, byte == quote { break }
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            if !isEscaped { text.append(byte) }
        }
        return text.isEmpty ? nil : beginning(String(decoding: text, as: UTF8.self), warningLimit)
    }

    private static func beginning(_ text: String, _ limit: Int) -> String {
        let beginning = text.unicodeScalars.prefix(limit)
        return String(beginning).printable + (beginning.endIndex == text.unicodeScalars.endIndex ? "" : "…")
    }
}
