import NIOCore
import NIOHTTP1

/// A request: its head, taken apart, and its body, still to come.
struct Request {
    let method: HTTPMethod
    let version: HTTPVersion
    /// The path of the URL as it was sent.
    let path: String
    let query: Query
    let headers: HTTPHeaders
    let body: RequestBody

    /// The registry that the reference names, where this is asked as a mirror of it, as containerd says it.
    var namespace: String? { query["ns"].flatMap { $0.isEmpty ? nil : $0 } }

    /// A target without its scheme and host, which a client may name too.
    ///
    /// Spec: RFC 9112 "absolute-form".
    private static func originForm(_ target: String) -> Substring {
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            return rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        return target[...]
    }

    /// Why this is no request that HTTP allows; nil where it is one.
    var fault: APIError? {
        if version == .http1_1, headers["host"].count != 1 {
            return APIError(.badRequest, .unsupported, "a request of HTTP/1.1 names one host")
        }
        let codings = headers[canonicalForm: "transfer-encoding"]
        guard codings.allSatisfy({ $0.lowercased() == "chunked" }) else {
            return APIError(.notImplemented, .unsupported, "the only transfer coding that is known is chunked")
        }
        return nil
    }

    init(head: HTTPRequestHead, body: RequestBody) {
        let target = Self.originForm(head.uri)
        let mark = target.firstIndex(of: "?")
        method = head.method
        version = head.version
        path = String(target[..<(mark ?? target.endIndex)])
        query = Query(mark.map { target[target.index(after: $0)...] } ?? "")
        headers = head.headers
        self.body = body
    }
}

/// The parameters of a URL.
struct Query {
    private let values: [String: [String]]

    /// Takes the part after the question mark apart; what is not well encoded is left as it is.
    init(_ text: Substring) {
        var values: [String: [String]] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : ""
            values[String(parts[0]), default: []]
                .append(PercentEncoding.decode(value, plusIsSpace: true) ?? String(value))
        }
        self.values = values
    }

    /// The first value of a parameter, which is the one that counts where there can be one only.
    subscript(name: String) -> String? { values[name]?.first }

    /// All values of a parameter.
    func all(_ name: String) -> [String] { values[name] ?? [] }
}

/// Percent-encoding in paths and queries.
///
/// Spec: RFC 3986 "Percent-Encoding".
enum PercentEncoding {
    /// The text without escapes; nil where one is malformed or the bytes are not UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The text as the value of a parameter.
    static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let scalar = Unicode.Scalar(byte)
            if byte < 128, scalar.properties.isAlphabetic || byte.isASCIIDigit || "-._~".utf8.contains(byte) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
