import NIOHTTP1

/// One challenge of a `WWW-Authenticate` header.
///
/// Spec: RFC 9110 "WWW-Authenticate".
package struct Challenge: Hashable, Sendable {
    /// The scheme in lower case: `basic`, `bearer`.
    package let scheme: String
    /// The parameters, their names in lower case.
    package let parameters: [String: String]

    /// Reads every challenge of one header value.
    ///
    /// What cannot be read ends the list; it is never an error.
    package static func parse(_ header: String) -> [Challenge] {
        var scanner = Scanner(header)
        var challenges: [Challenge] = []
        while let challenge = scanner.challenge() { challenges.append(challenge) }
        return challenges
    }

    private struct Scanner {
        private let bytes: [UInt8]
        private var index = 0

        init(_ text: String) { bytes = Array(text.utf8) }

        mutating func challenge() -> Challenge? {
            skip { $0.isBlank || $0 == UInt8(ascii: ",") }
            guard let scheme = token() else { return nil }
            skipToken68()
            var parameters: [String: String] = [:]
            while let (name, value) = parameter() {
                // The first wins: a second one of the same name is not to be trusted more.
                if parameters[name] == nil { parameters[name] = value }
            }
            return Challenge(scheme: scheme.lowercased(), parameters: parameters)
        }

        /// Passes over what stands in place of parameters, as in `Negotiate YII=`: its padding is no assignment.
        private mutating func skipToken68() {
            let start = index
            skip(while: \.isBlank)
            guard index > start, token() != nil else {
                index = start
                return
            }
            skip { $0 == UInt8(ascii: "=") }
            skip(while: \.isBlank)
            if index < bytes.count, bytes[index] != UInt8(ascii: ",") { index = start }
        }

        /// A name, "=" and a token or a quoted string; nil, with nothing taken, where another challenge begins.
        private mutating func parameter() -> (String, String)? {
            let start = index
            skip { $0.isBlank || $0 == UInt8(ascii: ",") }
            if let name = token() {
                skip(while: \.isBlank)
                if take(UInt8(ascii: "=")) {
                    skip(while: \.isBlank)
                    if let value = quoted() ?? token() { return (name.lowercased(), value) }
                }
            }
            index = start
            return nil
        }

        private mutating func quoted() -> String? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            var value: [UInt8] = []
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "\"") { break }
                if byte == UInt8(ascii: "\\"), index < bytes.count {
                    value.append(bytes[index])
                    index += 1
                } else {
                    value.append(byte)
                }
            }
            return String(decoding: value, as: UTF8.self)
        }

        private mutating func token() -> String? {
            let start = index
            skip(while: \.isTokenCharacter)
            return start == index ? nil : String(decoding: bytes[start..<index], as: UTF8.self)
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard index < bytes.count, bytes[index] == byte else { return false }
            index += 1
            return true
        }

        private mutating func skip(while matches: (UInt8) -> Bool) {
            while index < bytes.count, matches(bytes[index]) { index += 1 }
        }
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }

    /// A character of a token, and those that unquoted URLs and scopes of careless servers have besides.
    fileprivate var isTokenCharacter: Bool {
        self > UInt8(ascii: " ") && self < 0x7f && !"\",=".utf8.contains(self)
    }
}

extension Challenge {
    /// What an answer asks for.
    ///
    /// - Parameters:
    ///   - response: the answer.
    ///   - authorization: what the request had. Where it had something, an answer of 403 asks for more only where it says
    ///     so. Spec: RFC 6750 "Error Codes".
    /// - Returns: the challenges.
    static func all(in response: HTTPResponse, to authorization: String?) -> [Challenge] {
        guard response.status == 401 || response.status == 403 else { return [] }
        let challenges = response.headers["WWW-Authenticate"].flatMap(parse)
        guard response.status == 403, authorization != nil else { return challenges }
        return challenges.filter { $0.parameters["error"] == "insufficient_scope" }
    }
}
