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
        warnings = headers["Warning"].prefix(Self.warningCountLimit).compactMap(Self.warning)
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
