import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import OCI
import Synchronization

/// The bytes of one request of an upload, on their way from the registry that has them to the one that gets them.
///
/// A buffer that comes from one connection is written to the other as it is, and the next is not read before: one buffer is
/// all the memory. What was cut off goes on within the same request. Before the last bytes of a blob leave, all of it is
/// held against its digest.
package final class BlobForward: Sendable {
    /// The registry that gets the bytes has ended the request, so that they are of no use any more.
    struct Ended: Error {}

    /// The most bytes that are passed over, where a registry sends no ranges and so all from the beginning.
    private static let passedOverLimit: Int64 = 1 << 30

    private struct State {
        /// How far they have come, from the beginning of the blob: what is being written counts.
        var position: Int64
        /// Where the answer is that is read now: behind, where it sends what was sent already.
        var answerPosition: Int64 = 0
        /// What the next read waits for.
        var write: EventLoopPromise<Void>?
        var isEnded = false
    }

    private let relay: BlobRelay
    private let range: Range<Int64>
    private let writer: HTTPClient.Body.StreamWriter
    private let done: EventLoopPromise<Void>
    /// How long one buffer may take to be written.
    private let writeTimeout: TimeAmount
    private let sent: @Sendable (Int64) -> Void
    private let state: Mutex<State>

    init(
        _ relay: BlobRelay,
        _ range: Range<Int64>,
        into writer: HTTPClient.Body.StreamWriter,
        on loop: any EventLoop,
        writeTimeout: TimeAmount,
        sent: @escaping @Sendable (Int64) -> Void
    ) {
        self.relay = relay
        self.range = range
        self.writer = writer
        self.writeTimeout = writeTimeout
        self.sent = sent
        done = loop.makePromise()
        state = Mutex(State(position: range.lowerBound))
    }

    deinit { end(CancellationError()) }

    /// Completed when all has left, or cannot.
    var future: EventLoopFuture<Void> { done.futureResult }

    /// How far the bytes have come.
    var position: Int64 { state.withLock { $0.position } }

    /// Whether all bytes have left.
    var isWhole: Bool { position == range.upperBound }

    /// Whether the bytes go back to a registry.
    func goes(to registry: String) -> Bool { relay.target == registry }

    /// Ends the request's body, and whatever of the answer is still waiting to be written; what comes first counts.
    ///
    /// The connection that gets the bytes need not say that it never will: then nobody else would.
    func end(_ error: (any Error)?) {
        let (isFirst, write) = state.withLock { state in
            defer { (state.isEnded, state.write) = (true, nil) }
            return (!state.isEnded, state.write)
        }
        write?.fail(TransportFailure.SinkFailure(underlying: Ended()))
        guard isFirst else { return }
        if let error { done.fail(error) } else { done.succeed() }
    }

    /// The headers that ask for what is missing.
    ///
    /// Spec: RFC 9110 "Range".
    var headers: HTTPHeaders {
        let position = position
        guard position > 0 || range.upperBound < relay.blob.size else { return [:] }
        return ["Range": "bytes=\(position)-\(range.upperBound - 1)"]
    }

    // MARK: - Answers

    /// Takes the head of an answer.
    ///
    /// - Returns: whether its body is of the blob.
    /// - Throws: ``RegistryError`` for another size or other bytes.
    func begin(_ head: HTTPResponseHead, _ context: RequestContext) throws -> Bool {
        let position = position
        switch head.status {
        case .ok:
            if let length = head.contentLength, length != relay.blob.size {
                throw RegistryError(.sizeMismatch(expected: relay.blob.size, actual: length), context)
            }
            guard position <= Self.passedOverLimit else {
                throw refusal("it sends no ranges, and \(position) bytes would come again", head, context)
            }
            state.withLock { $0.answerPosition = 0 }
        case .partialContent:
            let answer = head.headers.first(name: "Content-Range").flatMap { ContentRange($0) }
            guard let answer, answer.first == position, answer.byteCount ?? relay.blob.size == relay.blob.size else {
                throw refusal("it answered with other bytes than those from \(position) on", head, context)
            }
            state.withLock { $0.answerPosition = position }
        default:
            return false
        }
        return true
    }

    private func refusal(_ reason: String, _ head: HTTPResponseHead, _ context: RequestContext) -> RegistryError {
        RegistryError(.other, context, request: nil, status: Int(head.status.code), reason: reason)
    }

    /// Takes bytes of the body and writes them on.
    ///
    /// - Returns: what the next read waits for.
    /// - Throws: ``RegistryError`` for more than there may be and for a wrong digest, ``ResponseDelegate/AnswerKnown``
    ///   where nothing more is needed, ``Ended`` where nobody wants them any more.
    func take(_ buffer: ByteBuffer, _ context: RequestContext, on loop: any EventLoop) throws -> EventLoopFuture<Void> {
        var buffer = buffer
        let (start, position, isEnded) = state.withLock { state in
            defer { state.answerPosition += Int64(buffer.readableBytes) }
            return (state.answerPosition, state.position, state.isEnded)
        }
        guard !isEnded else { throw TransportFailure.SinkFailure(underlying: Ended()) }
        try relay.verify(buffer, at: start, context)
        buffer.moveReaderIndex(forwardBy: min(buffer.readableBytes, Int(max(0, position - start))))
        let count = min(Int64(buffer.readableBytes), range.upperBound - position)
        guard count > 0, let piece = buffer.readSlice(length: Int(count)) else {
            if position == range.upperBound { throw ResponseDelegate.AnswerKnown() }
            return loop.makeSucceededVoidFuture()
        }
        return write(piece, from: position, on: loop)
    }

    private func write(_ piece: ByteBuffer, from position: Int64, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let end = position + Int64(piece.readableBytes)
        let promise = loop.makePromise(of: Void.self)
        state.withLock { state in
            state.position = end
            state.write = promise
        }
        let timer = loop.scheduleTask(in: writeTimeout) { [weak self] in self?.end(HTTPClientError.writeTimeout) }
        writer.write(.byteBuffer(piece)).whenComplete { [weak self] result in
            timer.cancel()
            guard let self else { return }
            switch result {
            case .success:
                sent(end - range.lowerBound)
                state.withLock { state in
                    defer { state.write = nil }
                    return state.write
                }?.succeed()
            // Whoever gets the bytes says why.
            case .failure: self.end(HTTPClientError.remoteConnectionClosed)
            }
        }
        return promise.futureResult
    }
}

/// The body of a request of which the bytes come from another registry.
struct RelayBody: Sendable {
    let relay: BlobRelay
    let range: Range<Int64>
    /// Where each body is fetched for, once for each time that the request is sent.
    let forwards: AsyncStream<BlobForward>.Continuation

    /// Has the range sent.
    func send(
        through writer: HTTPClient.Body.StreamWriter,
        on loop: any EventLoop,
        writeTimeout: TimeAmount,
        sent: @escaping @Sendable (Int64) -> Void
    ) -> EventLoopFuture<Void> {
        let forward = BlobForward(relay, range, into: writer, on: loop, writeTimeout: writeTimeout, sent: sent)
        relay.replace(by: forward)
        forwards.yield(forward)
        return forward.future
    }
}
