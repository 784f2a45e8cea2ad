import NIOCore
import NIOHTTP1

/// The body of a request, taken piece by piece.
///
/// Taking the first piece sends `100 Continue` to a client that waits for it; one whose request is refused before that
/// need not send the body at all.
///
/// Spec: RFC 9110 "Expect".
final class RequestBody {
    /// The client went away in the middle of its request, or sent what is no HTTP.
    struct Disconnected: Error {
        let reason: String
    }

    private enum State {
        case awaitsContinue
        case reading
        case ended
    }

    /// What the client says that the body's length is: nothing where it says nothing, nil where it comes in chunks.
    let declaredByteCount: Int64?
    private let parts: RequestParts
    private var state: State

    /// Whether all of it was taken.
    var hasEnded: Bool { state == .ended }
    /// Whether the client still waits to be told to send it.
    var awaitsContinue: Bool { state == .awaitsContinue }

    init(head: HTTPRequestHead, parts: RequestParts) {
        self.parts = parts
        if head.headers.contains(name: "transfer-encoding") {
            declaredByteCount = nil
        } else {
            declaredByteCount = head.headers.first(name: "content-length").flatMap { Int64($0) } ?? 0
        }
        // A client of HTTP/1.0 knows no interim answers.
        let expectsContinue =
            head.version != .http1_0
            && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        state = expectsContinue ? .awaitsContinue : .reading
    }

    /// The next piece, nil at the end.
    ///
    /// - Throws: ``Disconnected``, ``StalledConnection``, and ``APIError`` where the body is malformed.
    func next() async throws -> ByteBuffer? {
        if state == .ended { return nil }
        if state == .awaitsContinue {
            state = .reading
            try await parts.sendContinue()
        }
        switch try await nextPart() {
        case .body(let piece): return piece
        case .end:
            state = .ended
            return nil
        case .head, nil: throw Disconnected(reason: "the client went away")
        }
    }

    private func nextPart() async throws -> HTTPServerRequestPart? {
        do {
            return try await parts.next()
        } catch let error as StalledConnection {
            throw error
        } catch let error as HTTPParserError where !error.isEarlyEnd {
            throw APIError.notHTTP
        } catch {
            throw Disconnected(reason: "the connection broke: \(error)")
        }
    }

    /// Takes and forgets the rest of the body, without asking a client for it that waits to be asked.
    ///
    /// - Parameters:
    ///   - limit: how many bytes at most.
    ///   - time: how long at most.
    /// - Returns: whether the end came before.
    /// - Throws: as ``next()``.
    func discard(upTo limit: Int64, within time: Duration) async throws -> Bool {
        let start = ContinuousClock.now
        if state == .awaitsContinue { state = .reading }
        var count: Int64 = 0
        while let piece = try await next() {
            count += Int64(piece.readableBytes)
            guard count <= limit, ContinuousClock.now - start < time else { return false }
        }
        return true
    }

    /// The whole body; nil where it is longer than `limit` bytes.
    func bytes(limit: Int) async throws -> [UInt8]? {
        if let declaredByteCount, declaredByteCount > Int64(limit) { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(declaredByteCount ?? 0))
        while let piece = try await next() {
            guard bytes.count + piece.readableBytes <= limit else { return nil }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}

/// The parts of the requests of one connection, in their order.
final class RequestParts {
    typealias Inbound = NIOAsyncChannelInboundStream<HTTPServerRequestPart>

    private let channel: any Channel
    private var iterator: Inbound.AsyncIterator

    init(_ inbound: Inbound, of channel: any Channel) {
        self.channel = channel
        iterator = inbound.makeAsyncIterator()
    }

    /// The next part, nil where the client has gone.
    func next() async throws -> HTTPServerRequestPart? { try await iterator.next(isolation: #isolation) }

    /// Tells a client that waits for it to send the body.
    func sendContinue() async throws {
        try await channel.writeAndFlush(ResponsePart.head(HTTPResponseHead(version: .http1_1, status: .continue))).get()
    }
}

extension APIError {
    /// What a client sent cannot be read as HTTP.
    static let notHTTP = APIError(.badRequest, .unsupported, "this is no HTTP/1.1")
}

extension HTTPParserError {
    /// Whether the client closed the connection in the middle of a request.
    var isEarlyEnd: Bool {
        if case .invalidEOFState = self { true } else { false }
    }
}
