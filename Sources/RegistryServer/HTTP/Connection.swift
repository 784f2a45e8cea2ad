import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OCI
import RegistryDirectory

/// One connection: its requests, one after the other.
struct Connection: Sendable {
    typealias AsyncChannel = NIOAsyncChannel<HTTPServerRequestPart, ResponsePart>

    /// What is left of a request's body after its answer is taken up to here, to keep the connection.
    private static let drainedByteCount = 256 << 10
    /// Beyond that the client is given this much to notice the answer before the connection is closed under it.
    private static let lingeredByteCount = 64 << 20

    let id: Int
    let api: RegistryAPI
    let connections: Connections
    let pool: NIOThreadPool
    let usesTLS: Bool

    /// Serves until the client or the server is done.
    func serve(_ asyncChannel: AsyncChannel) async {
        let channel = asyncChannel.channel
        do {
            try await asyncChannel.executeThenClose { inbound, _ in
                do {
                    try await serve(RequestParts(inbound, of: channel), on: channel)
                } catch let error as HTTPParserError where !error.isEarlyEnd {
                    // Only now: what came before it has been answered.
                    let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "")
                    try await send(APIError.notHTTP.response, to: head, closing: true, on: channel)
                    throw error
                }
            }
        } catch {
            // The client went away or stalled, or what it sent is no HTTP: what concerns a request has been logged.
            api.logger.debug("connection ended", metadata: ["reason": "\(error)"])
        }
    }

    private func serve(_ parts: RequestParts, on channel: any Channel) async throws {
        while case .head(let head) = try await parts.next() {
            guard connections.beginRequest(id) else { return }
            let keepsOpen = try await answer(head, RequestBody(head: head, parts: parts), on: channel)
            guard connections.endRequest(id), keepsOpen else { return }
        }
    }

    /// Answers one request.
    ///
    /// - Returns: whether the connection can be used for another one.
    private func answer(_ head: HTTPRequestHead, _ body: RequestBody, on channel: any Channel) async throws -> Bool {
        let request = Request(head: head, body: body)
        var entry = AccessLog.Entry(request, remote: channel.remoteAddress)
        let response: Response
        do {
            response = connections.isOverLimit(id) ? Self.busy.response : try await api.answer(request, &entry)
        } catch let error as RequestBody.Disconnected {
            entry.log(to: api.logger, status: nil, byteCount: 0, cause: error.reason)
            return false
        } catch is StalledConnection {
            let stalled = APIError(.requestTimeout, .blobUploadInvalid, "nothing came for too long")
            try await send(stalled.response, to: head, closing: true, on: channel)
            entry.log(to: api.logger, status: stalled.status, byteCount: 0, cause: stalled.message)
            return false
        }
        // A body that is announced and not begun may never come; one that is under way has to be taken or cut off.
        let drained = await drain(body)
        let closes = !drained || !head.isKeepAlive || connections.isClosing || connections.isOverLimit(id)
        do {
            try await send(response, to: head, closing: closes, on: channel)
        } catch {
            entry.log(to: api.logger, status: response.status, byteCount: 0, cause: "sending: \(error)")
            throw error
        }
        let sent = head.method == .HEAD ? 0 : response.body.byteCount
        entry.log(to: api.logger, status: response.status, byteCount: sent, cause: nil)
        if !drained, !body.awaitsContinue { await linger(body) }
        return !closes
    }

    private static let busy = APIError(
        .tooManyRequests,
        .tooManyRequests,
        "too many connections; try again in a moment",
        headers: ["Retry-After": "1"]
    )

    // MARK: - The rest of a body

    private func drain(_ body: RequestBody) async -> Bool {
        if body.hasEnded { return true }
        if body.awaitsContinue { return false }
        if let declared = body.declaredByteCount, declared > Int64(Self.drainedByteCount) { return false }
        do {
            return try await body.discard(upTo: Self.drainedByteCount)
        } catch {
            // It stalled, or broke off: whoever is still there gets the answer.
            return false
        }
    }

    /// Takes what the client still sends, so that closing does not tear the answer out of its hands.
    private func linger(_ body: RequestBody) async {
        do {
            _ = try await body.discard(upTo: Self.lingeredByteCount)
        } catch {
            // It closed or stalled, which is what this waits for.
        }
    }

    // MARK: - The answer

    private func send(
        _ response: Response,
        to request: HTTPRequestHead,
        closing: Bool,
        on channel: any Channel
    ) async throws {
        var headers = response.headers
        headers.add(name: "Docker-Distribution-Api-Version", value: "registry/2.0")
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if response.hasLength {
            headers.replaceOrAdd(name: "Content-Length", value: String(response.body.byteCount))
        }
        if closing {
            headers.replaceOrAdd(name: "Connection", value: "close")
        } else if request.version == .http1_0 {
            headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(version: request.version, status: response.status, headers: headers)
        channel.write(ResponsePart.head(head), promise: nil)
        if request.method != .HEAD { try await send(response.body, on: channel) }
        try await channel.writeAndFlush(ResponsePart.end).get()
    }

    private func send(_ body: Response.Body, on channel: any Channel) async throws {
        switch body {
        case .none: break
        case .bytes(let bytes): channel.write(ResponsePart.bytes(ByteBuffer(bytes: bytes)), promise: nil)
        case .blob(let blob, let range) where usesTLS:
            var position = range.lowerBound
            while position < range.upperBound {
                let end = min(position + ResponsePartHandler.pieceByteCount, range.upperBound)
                let piece = try await pool.runIfActive { [position] in try blob.read(position..<end) }
                try await channel.writeAndFlush(ResponsePart.bytes(ByteBuffer(bytes: piece))).get()
                position = end
            }
        case .blob(let blob, let range):
            guard !range.isEmpty else { return }
            try await channel.writeAndFlush(ResponsePart.file(blob, range)).get()
        }
    }
}

extension RequestBody {
    /// Takes and forgets the rest of the body.
    ///
    /// - Returns: whether that was no more than `limit` bytes.
    func discard(upTo limit: Int) async throws -> Bool {
        var count = 0
        while let piece = try await next() {
            count += piece.readableBytes
            guard count <= limit else { return false }
        }
        return true
    }
}
