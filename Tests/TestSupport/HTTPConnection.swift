import Dispatch
import Foundation
import Synchronization

/// A connection to an HTTP server on this machine, on which exactly the bytes go out that a test wants to.
///
/// What may block does so on threads of the connection's own: the server under test runs on the pool of the tests.
/// Sending and receiving go on at the same time.
package final class HTTPConnection: Sendable {
    private let descriptor: Int32
    private let sending = DispatchQueue(label: "dev.drayage.tests.sending")
    private let receiving = DispatchQueue(label: "dev.drayage.tests.receiving")
    private let buffer = Mutex<[UInt8]>([])

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: `127.0.0.1:` and the port.
    ///   - timeout: after how many seconds without a byte a call fails.
    ///   - receiveByteCount: how much of what comes the system may hold, where that is to be little.
    /// - Throws: ``SystemError`` where nobody listens.
    package init(to address: String, timeout: Int = 120, receiveByteCount: Int32? = nil) throws {
        descriptor = try LoopbackSocket.connect(to: address)
        var time = timeval(tv_sec: timeout, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        guard var size = receiveByteCount else { return }
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    // MARK: - Sending

    /// Sends a request and receives its answer.
    package func ask(_ request: HTTPRequest) async throws -> HTTPAnswer {
        try await send(request.bytes)
        return try await receive(toHEAD: request.method == "HEAD")
    }

    /// Sends bytes.
    ///
    /// - Throws: ``HTTPConnectionError`` when the server has gone.
    package func send(_ bytes: [UInt8]) async throws {
        try await run(on: sending) { descriptor in
            guard LoopbackSocket.send(bytes, to: descriptor) else { throw HTTPConnectionError(.sending(errno)) }
        }
    }

    /// Sends a text.
    package func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Says that nothing more will be sent.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Breaks the connection as a cut cable does at best: the server is told by a reset, at once.
    package func breakOff() {
        // Connecting to nobody is how Linux resets a connection whose descriptor stays ours.
        var nobody = sockaddr()
        nobody.sa_family = sa_family_t(AF_UNSPEC)
        Foundation.connect(descriptor, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
    }

    // MARK: - Receiving

    /// Receives one answer, and the interim ones before it.
    ///
    /// - Parameter toHEAD: whether it has no body in spite of its length.
    /// - Returns: the answer.
    /// - Throws: ``HTTPConnectionError``.
    package func receive(toHEAD: Bool = false) async throws -> HTTPAnswer {
        var interim: [Int] = []
        while true {
            var answer = try await receiveHead()
            guard answer.status >= 200 else {
                interim.append(answer.status)
                continue
            }
            answer.interim = interim
            if toHEAD || answer.status == 204 || answer.status == 304 { return answer }
            guard let text = answer.header("Content-Length"), let count = Int(text) else {
                answer.body = try await receiveRest()
                return answer
            }
            answer.body = try await receive(count: count)
            return answer
        }
    }

    /// Receives the head of an answer, interim or not, and leaves the body.
    package func receiveHead() async throws -> HTTPAnswer {
        let bytes = try await take { buffer in
            buffer.firstRange(of: Array("\r\n\r\n".utf8)).map { (buffer[..<$0.lowerBound], $0.upperBound) }
        }
        guard let answer = HTTPAnswer(head: bytes) else { throw HTTPConnectionError(.malformed(bytes)) }
        return answer
    }

    /// Receives so many bytes.
    package func receive(count: Int) async throws -> [UInt8] {
        try await take { $0.count >= count ? ($0[..<count], count) : nil }
    }

    /// Receives whatever comes until the server closes.
    ///
    /// - Throws: ``HTTPConnectionError`` where it does not, or resets the connection.
    package func receiveRest() async throws -> [UInt8] {
        do {
            _ = try await take { _ in nil }
            return []
        } catch let error as HTTPConnectionError {
            guard case .ended = error.code else { throw error }
            return buffer.withLock { buffer in
                defer { buffer = [] }
                return buffer
            }
        }
    }

    /// Takes from what has come as soon as enough has.
    private func take(_ find: @escaping @Sendable ([UInt8]) -> (ArraySlice<UInt8>, Int)?) async throws -> [UInt8] {
        try await run(on: receiving) { [self] descriptor in
            while true {
                let found: [UInt8]? = buffer.withLock { buffer in
                    guard let (bytes, end) = find(buffer) else { return nil }
                    buffer.removeFirst(end)
                    return Array(bytes)
                }
                if let found { return found }
                errno = 0
                guard let more = LoopbackSocket.receive(from: descriptor) else {
                    guard errno == 0 else { throw HTTPConnectionError(errno == EAGAIN ? .timedOut : .receiving(errno)) }
                    throw HTTPConnectionError(.ended(byteCount: buffer.withLock(\.count)))
                }
                buffer.withLock { $0 += more }
            }
        }
    }

    private func run<Result: Sendable>(
        on queue: DispatchQueue,
        _ work: @escaping @Sendable (Int32) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            // The closure keeps the value, and so the descriptor.
            queue.async { continuation.resume(with: Swift.Result { try work(self.descriptor) }) }
        }
    }
}

/// A connection did not bring what a test waited for.
package struct HTTPConnectionError: Error, CustomStringConvertible {
    /// What came instead.
    package enum Code: Sendable {
        /// The server closed the connection, in good order, after so many bytes that nobody took.
        case ended(byteCount: Int)
        /// Nothing came for too long.
        case timedOut
        /// No head of an answer.
        case malformed([UInt8])
        /// The system's reason, such as a reset.
        case sending(Int32)
        /// The system's reason, such as a reset.
        case receiving(Int32)
    }

    /// What came instead.
    package let code: Code

    init(_ code: Code) { self.code = code }

    /// One line.
    package var description: String {
        switch code {
        case .ended(let count): "the server closed the connection after \(count) bytes"
        case .timedOut: "the server sent nothing for too long"
        case .malformed(let bytes): "no head of an answer: \(String(decoding: bytes.prefix(200), as: UTF8.self))"
        case .sending(let code): "sending: \(String(cString: strerror(code)))"
        case .receiving(let code): "receiving: \(String(cString: strerror(code)))"
        }
    }
}
