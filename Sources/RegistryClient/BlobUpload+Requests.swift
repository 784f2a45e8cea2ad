import AsyncHTTPClient
import NIOHTTP1
import OCI
import Synchronization

extension BlobUpload {
    // MARK: - Sending

    /// Spec: distribution "Pushing a blob monolithically", POST then PUT.
    func sendWhole() async throws { try await end(with: byteCount) }

    /// Spec: distribution "Pushing a blob in chunks".
    func sendChunks() async throws {
        while let session, session.byteCount < byteCount {
            let (start, length) = (session.byteCount, nextLength(session))
            let (request, response) = try await send(
                .PATCH,
                session.upload.url,
                length: length,
                headers: ["Content-Range": "\(start)-\(start + length - 1)"],
                expecting: [202]
            )
            noteTaken(length)
            self.session?.upload = try session.upload.next(
                after: response,
                to: request,
                at: registry,
                context: context
            )
        }
        try await end(with: 0)
    }

    /// Sends the last bytes with the digest that makes a blob of all.
    private func end(with length: Int64) async throws {
        guard let session else { return }
        let url = URLParts.appending("digest", blob.digest.description, to: session.upload.url)
        _ = try await send(.PUT, url, length: length, expecting: [201, 204])
    }

    /// Sends the next bytes of the blob.
    private func send(
        _ method: HTTPMethod,
        _ url: String,
        length: Int64,
        headers: HTTPHeaders = [:],
        expecting statuses: Set<Int>
    ) async throws -> (request: HTTPRequest, response: HTTPResponse) {
        let start = session?.byteCount ?? 0
        session?.noteSent(to: start + length)
        let count = UploadCount(sent)
        var headers = headers
        headers.add(name: "Content-Type", value: "application/octet-stream")
        do {
            let (request, response) = try await send(method, url, headers, start..<(start + length), count)
            try response.expect(statuses, of: request, context: context)
            count.end(at: length)
            return (request, response)
        } catch {
            count.end(at: 0)
            if let failure = error as? BlobSourceFailure { throw noteSourceFailure(failure) }
            throw (error as? RegistryError).map { noteFailure($0, length: length) } ?? error
        }
    }

    private func send(
        _ method: HTTPMethod,
        _ url: String,
        _ headers: HTTPHeaders,
        _ range: Range<Int64>,
        _ count: UploadCount
    ) async throws -> (request: HTTPRequest, response: HTTPResponse) {
        func send(_ body: HTTPRequest.Body) async throws -> (request: HTTPRequest, response: HTTPResponse) {
            try await client.attempt(
                method,
                url,
                to: registry,
                headers: headers,
                body: body,
                scopes: [.push(repository)],
                context: context
            )
        }
        switch source {
        case _ where range.isEmpty: return try await send(.bytes([]))
        case .file(let file):
            let part = FileRange(
                descriptor: file.descriptor,
                offset: file.offset + range.lowerBound,
                byteCount: Int64(range.count)
            )
            return try await send(.file(part, sent: count.note))
        case .relay(let relay, let fetch):
            let (forwards, continuation) = AsyncStream.makeStream(of: BlobForward.self)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await withDiscardingTaskGroup { fetches in
                        for await forward in forwards {
                            fetches.addTask { await Self.run(forward, fetch) }
                        }
                        fetches.cancelAll()
                    }
                }
                defer {
                    // Whatever waits for the other connection waits in vain now.
                    relay.replace(by: nil)
                    continuation.finish()
                    group.cancelAll()
                }
                let body = RelayBody(relay: relay, range: range, forwards: continuation)
                return try await send(.relay(body, sent: count.note))
            }
        }
    }

    private static func run(
        _ forward: BlobForward,
        _ fetch: @Sendable (BlobForward) async throws -> Void
    ) async {
        do {
            try await fetch(forward)
            forward.end(nil)
        } catch is BlobForward.Ended {
            forward.end(HTTPClientError.remoteConnectionClosed)
        } catch {
            forward.end(failure(of: error))
        }
    }

    private static func failure(of error: any Error) -> any Error {
        error is CancellationError || error is BlobSourceFailure ? error : BlobSourceFailure(underlying: error)
    }

    // MARK: - Asking

    /// Asks how far the session is.
    ///
    /// - Returns: whether the blob can go on from there.
    ///
    /// Spec: distribution "Pushing a blob in chunks".
    func goOn() async throws -> Bool {
        guard chunkSize != nil, let session, session.condition == .uncertain,
            session.inquiryCount < BlobUpload.inquiryLimit
        else { return false }
        self.session?.inquiryCount += 1
        let (request, response) = try await client.attempt(
            .GET,
            session.upload.url,
            to: registry,
            scopes: [.push(repository)],
            context: context
        )
        guard response.status == 204, let byteCount = response.uploadedByteCount, byteCount <= session.sentByteCount
        else { return false }
        self.session?.upload = try session.upload.next(
            after: response,
            to: request,
            at: registry,
            context: context
        )
        self.session?.condition = .sound
        move(to: byteCount)
        return true
    }

    /// Asks whether the repository has the blob.
    func isThere() async throws -> Bool {
        let (_, response) = try await client.attempt(
            .HEAD,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            to: registry,
            scopes: [.push(repository)],
            context: context
        )
        return response.status == 200
    }
}

extension HTTPResponse {
    /// How many bytes of an upload the registry says that it has; nil where it does not say it clearly.
    ///
    /// `0-0` is what registries say of one byte, and of none.
    ///
    /// Spec: distribution "Pushing a blob in chunks", `Range`.
    fileprivate var uploadedByteCount: Int64? {
        guard let range = headers.first(name: "Range"), range.hasPrefix("0-"), let last = Int64(range.dropFirst(2)),
            last > 0, last < .max
        else { return nil }
        return last + 1
    }
}

/// The bytes of one request, as they are told of.
private final class UploadCount: Sendable {
    private let sent: @Sendable (Int64) -> Void
    /// Nil after the request: its connection may still say something.
    private let byteCount = Mutex<Int64?>(0)

    init(_ sent: @escaping @Sendable (Int64) -> Void) { self.sent = sent }

    /// Takes note that so many bytes have left by now: fewer than before, where the request was sent again.
    func note(_ byteCount: Int64) { self.byteCount.withLock { tell(byteCount, &$0) } }

    /// Takes note that so many bytes have arrived, and ends the count.
    func end(at byteCount: Int64) {
        self.byteCount.withLock { count in
            tell(byteCount, &count)
            count = nil
        }
    }

    private func tell(_ byteCount: Int64, _ count: inout Int64?) {
        guard let old = count, old != byteCount else { return }
        count = byteCount
        sent(byteCount - old)
    }
}
