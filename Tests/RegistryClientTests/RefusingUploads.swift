import Foundation
import Synchronization
import TestSupport

/// A registry that opens uploads and answers a PUT or a PATCH before it has read the body, or never.
///
/// A `ScriptedRegistry` reads each body to its end first, which is what servers that refuse do not do.
final class RefusingUploads: Sendable {
    /// What becomes of a request with a body.
    enum Refusal: Sendable {
        /// A status is sent when so many bytes of the body have come; then the connection is closed.
        case answer(Int, afterBytes: Int)
        /// The same, but the rest of the body is still read, as a server does that is polite.
        case answerAndRead(Int, afterBytes: Int)
        /// The connection is reset when so many bytes of the body have come.
        case reset(afterBytes: Int)
        /// The connection is closed when so many bytes of the body have come.
        case close(afterBytes: Int)
        /// Nothing is read any more when so many bytes of the body have come, until the peer gives up.
        case stall(afterBytes: Int)
    }

    /// `127.0.0.1:` and the port.
    let address: String
    private let listener: Int32
    private let log = Log()

    /// What the threads share.
    private final class Log: Sendable {
        let methods = Mutex<[String]>([])
        let hasBlob = Mutex(false)

        /// Notes a request, and gives its number among those with a body.
        func add(_ method: String) -> Int {
            methods.withLock { methods in
                methods.append(method)
                return methods.count { $0 == "PUT" || $0 == "PATCH" }
            }
        }
    }

    /// The methods of the requests so far.
    var methods: [String] { log.methods.withLock { $0 } }

    /// Starts to refuse.
    ///
    /// - Parameters:
    ///   - refusal: what becomes of a request with a body.
    ///   - times: how many of those are refused; the others are accepted, and their bodies forgotten.
    /// - Throws: what stands in the way of the server.
    init(_ refusal: Refusal, times: Int = .max) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let status = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) + listen(listener, 16) + getsockname(listener, $0, &length)
            }
        }
        guard status == 0 else { throw SystemError("listening on 127.0.0.1") }
        address = "127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
        Thread.detachNewThread { [log] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                Thread.detachNewThread { Self.serve(descriptor, refusal, times, log) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func serve(_ descriptor: Int32, _ refusal: Refusal, _ times: Int, _ log: Log) {
        defer { close(descriptor) }
        var head: [UInt8] = []
        while true {
            guard let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else {
                guard let more = receive(descriptor, 4096) else { return }
                head += more
                continue
            }
            let text = String(decoding: head[..<end.upperBound], as: UTF8.self)
            let method = String(text.prefix { $0 != " " })
            let number = log.add(method)
            guard method == "PUT" || method == "PATCH" else {
                send(descriptor, answer(to: method, log))
                head.removeFirst(end.upperBound)
                continue
            }
            let already = head.count - end.upperBound
            if number <= times { return refuse(descriptor, refusal, read: already) }
            let length = text.lowercased().firstMatch(of: /content-length: ([0-9]+)/).flatMap { Int($0.1) } ?? 0
            read(descriptor, to: length, from: already)
            if method == "PUT" { log.hasBlob.withLock { $0 = true } }
            send(descriptor, method == "PUT" ? "201 Created" : "202 Accepted")
            head = []
        }
    }

    private static func answer(to method: String, _ log: Log) -> String {
        switch method {
        case "POST": "202 Accepted\r\nLocation: /upload?a=b"
        case "DELETE": "204 No Content"
        case "HEAD" where log.hasBlob.withLock { $0 }: "200 OK"
        default: "404 Not Found"
        }
    }

    private static func read(_ descriptor: Int32, to count: Int, from already: Int) {
        var byteCount = already
        while byteCount < count, let more = receive(descriptor, min(65_536, count - byteCount)) {
            byteCount += more.count
        }
    }

    private static func refuse(_ descriptor: Int32, _ refusal: Refusal, read already: Int) {
        func read(to count: Int) { Self.read(descriptor, to: count, from: already) }
        switch refusal {
        case .answer(let status, let count):
            read(to: count)
            send(descriptor, "\(status) No\r\nConnection: close\r\nX: y", body: #"{"errors":[{"code":"X"}]}"#)
        case .answerAndRead(let status, let count):
            read(to: count)
            send(descriptor, "\(status) No\r\nConnection: close\r\nX: y", body: #"{"errors":[{"code":"X"}]}"#)
            read(to: .max)
        case .reset(let count):
            read(to: count)
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        case .close(let count):
            read(to: count)
        case .stall(let count):
            read(to: count)
            // Wakes up when the peer has gone, without reading anything: POLLRDHUP, which Swift does not see.
            var state = pollfd(fd: descriptor, events: 0x2000, revents: 0)
            poll(&state, 1, 60_000)
        }
    }

    private static func send(_ descriptor: Int32, _ head: String, body: String = "") {
        let text = Array("HTTP/1.1 \(head)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
        _ = text.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    private static func receive(_ descriptor: Int32, _ limit: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            initialized = max(0, recv(descriptor, buffer.baseAddress, limit, 0))
        }
        return bytes.isEmpty ? nil : bytes
    }
}
