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
    private static let drainedByteCount: Int64 = 256 << 10
    /// Beyond that the client is given this much to notice the answer before the connection is closed under it.
    private static let lingeredByteCount: Int64 = 64 << 20
    private static let lingeringTime = Duration.seconds(30)

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
                    let entry = AccessLog.Entry(remote: channel.remoteAddress)
                    entry.log(to: api.logger, status: .badRequest, byteCount: 0, cause: "no HTTP: \(error)")
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
            let stalled = APIError(.requestTimeout, .sizeInvalid, "the rest of the request did not come in time")
            try await send(stalled.response, to: head, closing: true, on: channel)
            entry.log(to: api.logger, status: stalled.status, byteCount: 0, cause: stalled.message)
            return false
        }
        let closes = !isDrainable(body) || !head.isKeepAlive || connections.isClosing || connections.isOverLimit(id)
        do {
            try await send(response, to: head, closing: closes, on: channel)
        } catch {
            entry.log(to: api.logger, status: nil, byteCount: 0, cause: "sending the answer: \(error)")
            throw error
        }
        let sent = head.method == .HEAD ? 0 : response.body.byteCount
        entry.log(to: api.logger, status: response.status, byteCount: sent, cause: nil)
        guard !body.hasEnded else { return !closes }
        if !closes { return try await body.discard(upTo: Self.drainedByteCount, within: .seconds(3600)) }
        await linger(body, on: channel)
        return false
    }

    private static let busy = APIError(
        .tooManyRequests,
        .tooManyRequests,
        "too many connections; try again in a moment",
        headers: ["Retry-After": "1"]
    )

    // MARK: - The rest of a body

    /// Whether the rest of a body is known to be short, and to come: what is announced and not begun may never come.
    private func isDrainable(_ body: RequestBody) -> Bool {
        body.hasEnded || (!body.awaitsContinue && body.declaredByteCount.map { $0 <= Self.drainedByteCount } ?? false)
    }

    /// Takes what the client still sends, so that closing does not tear the answer out of its hands.
    private func linger(_ body: RequestBody, on channel: any Channel) async {
        guard !connections.isClosing else { return }
        do {
            // A client that reads until the end is to see it.
            try await channel.close(mode: .output)
            _ = try await body.discard(upTo: Self.lingeredByteCount, within: Self.lingeringTime)
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
        headers.add(name: "Date", value: HTTPDate.now)
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

    /// Sends a body piece by piece, so that one that is taken slowly is seen to be taken.
    private func send(_ body: Response.Body, on channel: any Channel) async throws {
        switch body {
        case .none: break
        case .bytes(let bytes) where bytes.count <= ResponsePartHandler.pieceByteCount:
            // It goes with the head and the end, in one packet mostly.
            channel.write(ResponsePart.bytes(ByteBuffer(bytes: bytes)), promise: nil)
        case .bytes(let bytes):
            for piece in pieces(of: 0..<Int64(bytes.count)) {
                let buffer = ByteBuffer(bytes: bytes[Int(piece.lowerBound)..<Int(piece.upperBound)])
                try await channel.writeAndFlush(ResponsePart.bytes(buffer)).get()
            }
        case .blob(let blob, let range) where usesTLS:
            // Else the time that the disk takes would be the client's.
            channel.flush()
            for piece in pieces(of: range) {
                let bytes = try await pool.runIfActive { try blob.read(piece) }
                try await channel.writeAndFlush(ResponsePart.bytes(ByteBuffer(bytes: bytes))).get()
            }
        case .blob(let blob, let range):
            guard !range.isEmpty else { return }
            try await channel.writeAndFlush(ResponsePart.file(blob, range)).get()
        }
    }

    private func pieces(of range: Range<Int64>) -> some Sequence<Range<Int64>> {
        stride(from: range.lowerBound, to: range.upperBound, by: Int64.Stride(ResponsePartHandler.pieceByteCount))
            .lazy.map { $0..<min($0 + ResponsePartHandler.pieceByteCount, range.upperBound) }
    }
}
