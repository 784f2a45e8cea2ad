import Foundation

/// A request that a ``ScriptedRegistry`` was sent.
package struct Request: Sendable {
    /// The method.
    package let method: String
    /// The target as it was sent: path and query.
    package let target: String
    /// The header fields in their order.
    package let headers: [(name: String, value: String)]
    /// The body, without any transfer coding.
    package var body: [UInt8] = []
    /// Which connection it came on, from 1.
    package let connection: Int

    /// Reads a head; nil where it is none.
    init?(head: String, connection: Int) {
        var lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        let first = lines.popFirst()?.split(separator: " ") ?? []
        guard first.count == 3 else { return nil }
        method = String(first[0])
        target = String(first[1])
        headers = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (String(line[..<colon]), value)
        }
        self.connection = connection
    }

    /// `METHOD target`.
    package var line: String { "\(method) \(target)" }

    /// The target without its query.
    package var path: String { String(target.prefix { $0 != "?" }) }

    /// The query's fields, decoded; the last of those with one name.
    package var query: [String: String] {
        let items = URLComponents(string: "http://h\(target)")?.queryItems ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { $1 }
    }

    /// The values of the query's fields of one name.
    package func queryValues(_ name: String) -> [String] {
        (URLComponents(string: "http://h\(target)")?.queryItems ?? []).filter { $0.name == name }.compactMap(\.value)
    }

    /// The first header field of that name, in any case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// What a ``ScriptedRegistry`` answers.
package struct Answer: Sendable {
    /// How the answer is sent; everything but `whole` and `chunked` closes the connection.
    package enum Transfer: Sendable {
        /// As it should be, with a `Content-Length`.
        case whole
        /// As it should be, in chunks, without a `Content-Length`.
        case chunked
        /// Without a length: it ends where the connection ends.
        case untilClose
        /// With the `Content-Length` given, whatever the body has: too few bytes, or too many.
        case declaring(Int)
        /// With the right length, but that many bytes only; then the connection ends.
        case truncated(after: Int)
        /// With the right length, but that many bytes only; then the connection is reset.
        case reset(after: Int)
        /// With the right length, but that many bytes only; then nothing comes until the peer gives up.
        case stalled(after: Int)
        /// With the right length, a byte now and then: it goes on for as long as a test needs it to.
        case dripping
        /// The connection ends before a byte was sent.
        case closedBeforeHead
        /// The connection is reset before a byte was sent.
        case resetBeforeHead
        /// Nothing comes until the peer gives up.
        case stalledBeforeHead
        /// The body is sent as it is, head and all.
        case raw
    }

    /// The status.
    package var status: Int
    /// The header fields, without those that the transfer adds.
    package var headers: [(name: String, value: String)]
    /// The body, of which the answer to a `HEAD` request has the length only.
    package var body: [UInt8]
    /// How it is sent.
    package var transfer: Transfer

    /// An answer that is sent as it should be, unless a transfer is given.
    package init(
        _ status: Int = 200,
        headers: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        transfer: Transfer = .whole
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.transfer = transfer
    }

    /// An answer in JSON, or in whatever text.
    package static func text(_ body: String, status: Int = 200, type: String = "application/json") -> Answer {
        Answer(status, headers: [("Content-Type", type)], body: Array(body.utf8))
    }

    /// An error as the distribution specification has it.
    package static func error(_ status: Int, _ code: String, _ message: String = "no", detail: String = "null")
        -> Answer
    {
        let list = #"{"errors":[{"code":"\#(code)","message":"\#(message)","detail":\#(detail)}]}"#
        return .text(list + "\n", status: status)
    }

    /// A redirect.
    package static func redirect(to location: String, status: Int = 307) -> Answer {
        Answer(status, headers: [("Location", location)])
    }

    /// Bytes that are sent as they are, head and all.
    package static func raw(_ bytes: [UInt8]) -> Answer { Answer(body: bytes, transfer: .raw) }

    /// The same answer, sent in another way.
    package func sent(_ transfer: Transfer) -> Answer {
        var answer = self
        answer.transfer = transfer
        return answer
    }

    /// The same answer with one more header field.
    package func with(_ name: String, _ value: String) -> Answer {
        var answer = self
        answer.headers.append((name, value))
        return answer
    }
}
