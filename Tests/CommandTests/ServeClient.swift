import Foundation
import OCI

/// An HTTP client that blocks its thread and does next to nothing besides: what loads a server must cost little itself.
///
/// It is of one thread.
final class ServeClient {
    /// An answer, whose body was digested while it came.
    struct Answer {
        let status: Int
        /// By lower-case name.
        let headers: [String: String]
        /// The body, where it was to be kept.
        let body: [UInt8]
        let byteCount: Int
        let digest: Digest

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private static let end = Array("\r\n\r\n".utf8)

    private let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    /// What was received and not yet looked at.
    private var pending = 0..<0

    /// Connects to `address:port`, an IPv6 address in brackets.
    init(_ address: String) throws {
        let colon = address.lastIndex(of: ":") ?? address.endIndex
        let host = address[..<colon].trimmingCharacters(in: ["[", "]"])
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(address[colon...].dropFirst()), &hints, &list) == 0, let found = list?.pointee
        else { throw ServeClientError("\(address) is no address") }
        defer { freeaddrinfo(list) }
        descriptor = socket(found.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard connect(descriptor, found.ai_addr, found.ai_addrlen) == 0 else {
            throw ServeClientError("connecting", code: errno)
        }
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Asks, and takes the whole answer.
    func ask(
        _ method: String,
        _ target: String,
        headers: [String: String] = [:],
        body: ArraySlice<UInt8> = [],
        keepsBody: Bool = true
    ) throws -> Answer {
        try send(head: method, target, headers: headers, byteCount: body.count)
        try send(body)
        return try receive(toHEAD: method == "HEAD", keepsBody: keepsBody)
    }

    // MARK: - Sending

    /// Sends a request up to its body, which has so many bytes.
    func send(head method: String, _ target: String, headers: [String: String] = [:], byteCount: Int) throws {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: registry.test\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if method != "GET", method != "HEAD" { text += "Content-Length: \(byteCount)\r\n" }
        try send(Array((text + "\r\n").utf8)[...])
    }

    /// Sends bytes.
    func send(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 || errno == EINTR else { throw ServeClientError("sending", code: errno) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    // MARK: - Receiving

    /// Takes an answer.
    func receive(toHEAD: Bool = false, keepsBody: Bool = true) throws -> Answer {
        let (status, headers) = try receiveHead()
        let hasBody = !toHEAD && status != 204 && status != 304
        let length = headers["content-length"].flatMap { Int($0) }
        guard !hasBody || length != nil else { throw ServeClientError("an answer \(status) without a length") }
        let byteCount = hasBody ? length ?? 0 : 0
        let hasher = DigestHasher(algorithm: .sha256)
        var body: [UInt8] = []
        var rest = byteCount
        while rest > 0 {
            if pending.isEmpty { try receiveMore() }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[pending].prefix(rest))
            hasher.update(piece)
            if keepsBody { body += piece }
            pending = pending.dropFirst(piece.count)
            rest -= piece.count
        }
        let digest = try hasher.finish()
        return Answer(status: status, headers: headers, body: body, byteCount: byteCount, digest: digest)
    }

    /// Waits until something has come, and leaves it.
    func peek() throws { if pending.isEmpty { try receiveMore() } }

    /// Whether the server has closed, after waiting for it.
    func isClosed() throws -> Bool {
        do {
            try receiveMore()
            return false
        } catch let error as ServeClientError where error.isEnd {
            return true
        }
    }

    private func receiveHead() throws -> (Int, [String: String]) {
        var head: [UInt8] = []
        while true {
            if pending.isEmpty { try receiveMore() }
            let (before, piece) = (head.count, buffer[pending])
            head += piece
            guard let end = head[max(0, before - 3)...].firstRange(of: Self.end) else {
                pending = 0..<0
                continue
            }
            pending = pending.dropFirst(end.upperBound - before)
            var lines = String(decoding: head[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")[...]
            let status = lines.popFirst()?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            guard let status, status >= 200 else { throw ServeClientError("no answer: \(head.count) bytes") }
            let fields = lines.compactMap { line -> (String, String)? in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                return (line[..<colon].lowercased(), value)
            }
            return (status, Dictionary(fields) { $1 })
        }
    }

    private func receiveMore() throws {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count < 0, errno == EINTR { return try receiveMore() }
        guard count > 0 else { throw ServeClientError("receiving", code: count == 0 ? nil : errno) }
        pending = 0..<count
    }
}

/// A connection did not bring what was asked for.
struct ServeClientError: Error, CustomStringConvertible {
    let operation: String
    let code: Int32?

    init(_ operation: String, code: Int32? = nil) {
        self.operation = operation
        self.code = code
    }

    /// Whether the server has ended the connection, in whatever way.
    var isEnd: Bool { operation == "receiving" && (code == nil || code == ECONNRESET) }

    var description: String { operation + ": " + (code.map { String(cString: strerror($0)) } ?? "the server closed") }
}
