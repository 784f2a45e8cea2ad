import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Receives one answer: keeps a small body, or verifies and hands on a blob's while it arrives.
///
/// This is the hot path of a bundle. The bytes go from the connection's buffer to the sink on the connection's own thread,
/// and are digested there or beside it. The next read waits, so that a few buffers are all the memory; only of a server
/// that closes the connection all that the system still holds of it is read at once.
final class ResponseDelegate: HTTPClientResponseDelegate {
    typealias Response = HTTPResponse

    /// Ends a request of whose answer nothing more is waited for.
    struct AnswerKnown: Error {}

    /// How long the body of a refusal may take that comes before all was sent: nothing moves any more, so no other
    /// time-out would end the request soon.
    private static let refusalTimeout = TimeAmount.seconds(5)

    private struct State {
        /// Whether the whole request has left.
        var isSent = false
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        /// The bytes of the body that came, kept or not.
        var receivedCount: Int64 = 0
        /// What the body belongs to.
        var request: BlobDownload.Request?
        /// Where the body goes on to.
        var forward: (BlobForward, RequestContext)?
    }

    private let state = Mutex(State())
    private let handling: BodyHandling
    /// Those of the request's body.
    let turns = WriteTurns()

    init(handling: BodyHandling) { self.handling = handling }

    /// The bytes of the body that have come.
    var receivedCount: Int64 { state.withLock { $0.receivedCount } }

    /// The answer to a request that has failed, where what came of it is enough; nil where the failure is all there is.
    ///
    /// A refusal that comes before all was sent ends the connection, often before it has come to its own end.
    func answer(despite error: any Error) -> HTTPResponse? {
        state.withLock { state in
            guard let head = state.head else { return nil }
            let isCancelled = error as? HTTPClientError == .cancelled
            let isRefusal = !state.isSent && head.status.code >= 300 && !isCancelled
            return error is AnswerKnown || isRefusal ? Self.response(head, state.body, isCut: true) : nil
        }
    }

    private static func response(_ head: HTTPResponseHead, _ body: [UInt8], isCut: Bool) -> HTTPResponse {
        HTTPResponse(status: Int(head.status.code), headers: head.headers, body: body, bodyWasCut: isCut, url: "")
    }

    func didSendRequestPart(task: HTTPClient.Task<Response>, _ part: IOData) { turns.goOn() }

    func didSendRequest(task: HTTPClient.Task<Response>) { state.withLock { $0.isSent = true } }

    func didReceiveHead(task: HTTPClient.Task<Response>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        completed(on: task.eventLoop) {
            try state.withLock { state in
                state.head = head
                if !state.isSent, head.status.code >= 300 {
                    task.eventLoop.scheduleTask(in: Self.refusalTimeout) { task.fail(reason: AnswerKnown()) }
                }
                switch handling {
                case .collect: break
                case .stream(let request):
                    if try request.download.begin(head, of: request) { state.request = request }
                case .forward(let forward, let context):
                    if try forward.begin(head, context) { state.forward = (forward, context) }
                }
            }
            return nil
        }
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Response>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let loop = task.eventLoop
        let (request, forward) = state.withLock { state in
            state.receivedCount += Int64(buffer.readableBytes)
            return (state.request, state.forward)
        }
        return completed(on: loop) {
            if let (forward, context) = forward { return try forward.take(buffer, context, on: loop) }
            if let request { return try request.download.take(buffer, of: request, on: loop) }
            try state.withLock { try keep(buffer, in: &$0.body, status: $0.head?.status) }
            return nil
        }
    }

    func didFinishRequest(task: HTTPClient.Task<Response>) throws -> Response {
        try state.withLock { state in
            if let request = state.request { try request.download.finish(request) }
            guard let head = state.head else { throw HTTPClientError.remoteConnectionClosed }
            return Self.response(head, state.body, isCut: false)
        }
    }

    private func keep(_ buffer: ByteBuffer, in body: inout [UInt8], status: HTTPResponseStatus?) throws {
        let limit =
            switch handling {
            case .collect(let limit) where status == .ok: limit
            case .collect(let limit): min(limit, BodyHandling.errorBodyLimit)
            case .stream, .forward: BodyHandling.errorBodyLimit
            }
        body += buffer.readableBytesView.prefix(limit - body.count)
        if body.count == limit, buffer.readableBytes > 0 { throw AnswerKnown() }
    }

    /// Does a step; where it returns nil, nothing is waited for.
    private func completed(
        on loop: any EventLoop,
        _ step: () throws -> EventLoopFuture<Void>?
    ) -> EventLoopFuture<Void> {
        do {
            return try step() ?? loop.makeSucceededVoidFuture()
        } catch {
            return loop.makeFailedFuture(error)
        }
    }
}
