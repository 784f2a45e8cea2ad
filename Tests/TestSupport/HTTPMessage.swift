import Foundation

/// A request as it is sent, byte for byte.
package struct HTTPRequest: Sendable {
    /// How the body's end is told.
    package enum Framing: Sendable {
        /// By its real length.
        case length
        /// By that length, whatever the body has.
        case declared(Int)
        /// In chunks of so many bytes.
        case chunked(of: Int)
        /// Not at all.
        case none
    }

    /// The method.
    package var method: String
    /// The target as it is sent: path and query.
    package var target: String
    /// The header fields besides `Host` and those that the framing adds.
    package var headers: [(name: String, value: String)]
    /// The body.
    package var body: [UInt8]
    /// How its end is told.
    package var framing: Framing
    /// What follows the target.
    package var version = "HTTP/1.1"

    /// Describes a request; without a framing a body has its length, and so has its absence where a server may expect one.
    package init(
        _ method: String,
        _ target: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil,
        framing: Framing? = nil
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body ?? []
        let hasBody = body != nil || ["POST", "PUT", "PATCH"].contains(method)
        self.framing = framing ?? (hasBody ? .length : .none)
    }

    /// The bytes up to the empty line.
    package var head: [UInt8] {
        var text = "\(method) \(target) \(version)\r\nHost: registry.test\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        switch framing {
        case .length: text += "Content-Length: \(body.count)\r\n"
        case .declared(let count): text += "Content-Length: \(count)\r\n"
        case .chunked: text += "Transfer-Encoding: chunked\r\n"
        case .none: break
        }
        return Array((text + "\r\n").utf8)
    }

    /// The bytes after the empty line.
    package var framedBody: [UInt8] {
        guard case .chunked(let count) = framing else { return body }
        var result: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: count) { result += Self.chunk(body[start...].prefix(count)) }
        return result + Self.chunk([])
    }

    /// All bytes.
    package var bytes: [UInt8] { head + framedBody }

    /// Bytes as a chunk; none are the last chunk.
    package static func chunk(_ bytes: some Collection<UInt8>) -> [UInt8] {
        Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + Array("\r\n".utf8)
    }
}

/// An answer as it came.
package struct HTTPAnswer: Sendable {
    /// The status.
    package let status: Int
    /// The first part of the status line.
    package let version: String
    /// The header fields in their order.
    package let headers: [(name: String, value: String)]
    /// The body.
    package internal(set) var body: [UInt8] = []
    /// The statuses of the interim answers before it.
    package internal(set) var interim: [Int] = []

    /// Reads a head; nil where it is none.
    init?(head: [UInt8]) {
        var lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")[...]
        let first = lines.popFirst()?.split(separator: " ", maxSplits: 2) ?? []
        guard first.count >= 2, first[0].hasPrefix("HTTP/1."), let status = Int(first[1]) else { return nil }
        self.status = status
        version = String(first[0])
        headers = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            return (String(line[..<colon]), value)
        }
    }

    /// The values of the header fields of that name, in any case.
    package func headers(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// The first header field of that name, in any case.
    package func header(_ name: String) -> String? { headers(name).first }

    /// The body as text.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON.
    package func json<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body))
    }
}
