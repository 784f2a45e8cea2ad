import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Receives one answer: keeps a small body, or verifies and hands on a blob's while it arrives.
///
/// This is the hot path of a bundle. The bytes go from the connection's buffer through the hasher to the sink on the
/// connection's own thread: no copy, no queue, and the next read waits, so one buffer a connection is all the memory.
final class ResponseDelegate: HTTPClientResponseDelegate {
    typealias Response = HTTPResponse

    /// Ends a request whose body goes on beyond what is kept.
    struct BodyLimitReached: Error {}

    private struct State {
        var head: HTTPResponseHead?
        var body: [UInt8] = []
        /// What the body belongs to.
        var download: BlobDownload?
    }

    private let state = Mutex(State())
    private let handling: BodyHandling

    init(handling: BodyHandling) { self.handling = handling }

    /// What has been received so far, whether or not the answer is complete.
    func received(url: String, cut: Bool) -> HTTPResponse? {
        state.withLock { state in
            state.head.map {
                HTTPResponse(
                    status: Int($0.status.code),
                    headers: $0.headers,
                    body: state.body,
                    bodyWasCut: cut,
                    url: url
                )
            }
        }
    }

    func didReceiveHead(task: HTTPClient.Task<Response>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        completed(on: task) {
            try state.withLock { state in
                state.head = head
                guard case .stream(let download) = handling, try download.begin(head) else { return }
                state.download = download
            }
        }
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Response>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        completed(on: task) {
            try state.withLock { state in
                if let download = state.download {
                    try download.take(buffer.readableBytesSpan)
                } else {
                    try keep(buffer, in: &state.body, status: state.head?.status)
                }
            }
        }
    }

    func didFinishRequest(task: HTTPClient.Task<Response>) throws -> Response {
        try state.withLock { try $0.download?.finish() }
        guard let response = received(url: "", cut: false) else { throw HTTPClientError.remoteConnectionClosed }
        return response
    }

    private func keep(_ buffer: ByteBuffer, in body: inout [UInt8], status: HTTPResponseStatus?) throws {
        let limit =
            switch handling {
            case .collect(let limit) where status == .ok: limit
            case .collect(let limit): min(limit, BodyHandling.errorBodyLimit)
            case .stream: BodyHandling.errorBodyLimit
            }
        body += buffer.readableBytesView.prefix(limit - body.count)
        if body.count == limit, buffer.readableBytes > 0 { throw BodyLimitReached() }
    }

    private func completed(on task: HTTPClient.Task<Response>, _ step: () throws -> Void) -> EventLoopFuture<Void> {
        do {
            try step()
            return task.eventLoop.makeSucceededVoidFuture()
        } catch {
            return task.eventLoop.makeFailedFuture(error)
        }
    }
}
