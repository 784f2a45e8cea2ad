import NIOHTTP1
import OCI

/// A blob on its way into a repository, over as many requests and sessions as it takes.
///
/// It goes in one piece, which no way is faster than. Where such pieces break or are too large, it goes in chunks: of
/// those, only what the registry has not acknowledged is sent again.
final class BlobUpload {
    /// What was sent was too large; something smaller may be sent at once.
    struct TooLarge: Error {}

    /// Where the bytes come from.
    enum Source {
        /// A file, straight from it.
        case file(FileRange)
        /// Another registry: each request's bytes go on as they come.
        case relay(BlobRelay, fetch: @Sendable (BlobForward) async throws -> Void)
    }

    /// What is known of the session that is open.
    struct Session {
        enum Condition {
            case sound
            /// A request failed, so that the registry has to say how far it is.
            case uncertain
            /// The bytes in it are wrong.
            case spoiled
        }

        var upload: UploadSession
        var condition = Condition.sound
        /// How many bytes the registry has acknowledged.
        var byteCount: Int64 = 0
        /// Where the furthest of its requests ended.
        var sentByteCount: Int64 = 0
        /// How often the registry was asked how far it is since it last got on.
        var inquiryCount = 0
        /// Whether one of its requests failed: then what it holds may be other bytes than it says.
        var hasBroken = false

        /// Takes note that a request is sent whose last byte comes before this place.
        mutating func noteSent(to end: Int64) { sentByteCount = max(sentByteCount, end) }
    }

    /// How often a session is asked how far it is without getting on; then another is opened.
    static let inquiryLimit = 3
    /// The size of the first chunks, where nobody has said another.
    private static let usualChunkSize: Int64 = 16 << 20
    /// No chunk is made smaller than this, the smallest body limit that proxies come with.
    private static let smallestChunkSize: Int64 = 1 << 20

    let blob: Descriptor
    let repository: Repository
    let source: Source
    let sent: @Sendable (Int64) -> Void
    let context: RequestContext
    let client: RegistryClient

    var session: Session?
    /// How large a chunk is; nil where the blob goes in one piece.
    private(set) var chunkSize: Int64?
    /// The most bytes that the registry had acknowledged at one time.
    private(set) var furthest: Int64 = 0
    /// The requests that broke since the registry acknowledged anything.
    private var breakCount = 0
    private var wasTooLarge = false
    /// Whether chunks that had all arrived without a break were refused.
    private var wasRefusedWhole = false
    /// Whether the registry may have the blob by now: the answer that said so may be what was lost.
    private var mayBeThere = false

    init(
        _ blob: Descriptor,
        to repository: Repository,
        from source: Source,
        session: UploadSession?,
        client: RegistryClient,
        context: RequestContext,
        sent: @escaping @Sendable (Int64) -> Void
    ) {
        self.blob = blob
        self.repository = repository
        self.source = source
        self.session = session.map { Session(upload: $0) }
        self.client = client
        self.context = context
        self.sent = sent
        if let limit = sizeLimit, byteCount > limit { chunkSize = limit }
    }

    /// How many bytes there are to send.
    var byteCount: Int64 {
        switch source {
        case .file(let range): range.byteCount
        case .relay: blob.size
        }
    }

    var registry: Registry { client.registry(repository.registry) }

    /// The most bytes for one request, where the user or the registry has said it.
    private var sizeLimit: Int64? {
        let asked = client.configuration.chunkSize.map { max($0, Self.smallestChunkSize) }
        return [asked, registry.bodyLimit.byteCount].compactMap(\.self).min()
    }

    private var firstChunkSize: Int64 { sizeLimit ?? Self.usualChunkSize }

    /// The size below which no chunk is cut.
    private var leastChunkSize: Int64 { max(Self.smallestChunkSize, session?.upload.minimumChunkSize ?? 0) }

    // MARK: - Attempts

    /// Tries once: goes on from what the registry has, or begins again.
    ///
    /// - Throws: ``RegistryError`` and what else a request throws; whether to try again is for ``RetryPolicy`` to say.
    func attempt() async throws {
        while true {
            do {
                if let session, session.condition != .sound, try await !goOn() {
                    let isThere = mayBeThere ? try await isThere() : false
                    mayBeThere = false
                    await cancel()
                    move(to: isThere ? byteCount : 0)
                    self.session = nil
                    if isThere { return }
                }
                if session == nil { session = Session(upload: try await client.openUpload(repository, context)) }
                return try await sendRest()
            } catch is TooLarge {
                continue
            }
        }
    }

    /// Frees what the session holds in the registry.
    func cancel() async {
        if let session { await client.cancelUpload(session.upload, in: repository) }
    }

    /// Takes note of how far the registry is, and tells of it.
    func move(to byteCount: Int64) {
        guard let session, session.byteCount != byteCount else { return }
        sent(byteCount - session.byteCount)
        note(byteCount)
    }

    /// Takes note that the registry has taken a chunk, of whose bytes was told as they left.
    func noteTaken(_ length: Int64) {
        note((session?.byteCount ?? 0) + length)
        guard wasTooLarge, length == chunkSize else { return }
        wasTooLarge = false
        registry.bodyLimit.lower(to: length)
    }

    private func note(_ byteCount: Int64) {
        if let session, byteCount > session.byteCount {
            breakCount = 0
            self.session?.inquiryCount = 0
        }
        session?.byteCount = byteCount
        furthest = max(furthest, byteCount)
    }

    private func sendRest() async throws {
        guard chunkSize != nil else { return try await sendWhole() }
        try await sendChunks()
    }

    /// The length of the chunk after what is there.
    func nextLength(_ session: Session) -> Int64 {
        min(max(chunkSize ?? byteCount, session.upload.minimumChunkSize), byteCount - session.byteCount)
    }

    // MARK: - Failures

    /// Takes note of a request that failed.
    ///
    /// - Parameters:
    ///   - error: the failure.
    ///   - length: how many bytes of the blob the request had.
    /// - Returns: what is to be thrown: the failure as it is, or in a form that says that another attempt is worth it.
    func noteFailure(_ error: RegistryError, length: Int64) -> any Error {
        if error.status == 413 { return noteTooLarge(error, length) }
        mayBeThere = RetryPolicy.isRetryable(error)
        let isLost = isLost(error)
        // Where it is the bytes that are refused, it is not the place.
        session?.condition = error.status == 400 || error.refusesDigest ? .spoiled : .uncertain
        if error.status != 400 { session?.hasBroken = true }
        if error.isBreak { noteBreak() }
        return isLost ? error.with(code: .uploadLost) : error
    }

    /// Takes note that the bytes did not come.
    ///
    /// - Returns: what is to be thrown: where another attempt is worth it, the cause itself.
    func noteSourceFailure(_ failure: BlobSourceFailure) -> any Error {
        let error = failure.underlying as? RegistryError
        session?.condition = error?.isDigestMismatch == true ? .spoiled : .uncertain
        let isWorthIt = error.map(RetryPolicy.isRetryable) ?? (failure.underlying is HostGates.Closed)
        return isWorthIt ? failure.underlying : failure
    }

    private func noteBreak() {
        breakCount += 1
        guard breakCount == 2 else { return }
        breakCount = 0
        // A proxy may refuse what is too large for it without an answer.
        chunkSize = size(below: min(chunkSize ?? .max, byteCount))
    }

    /// The size of the chunks to follow something larger that does not get through.
    private func size(below byteCount: Int64) -> Int64 { max(leastChunkSize, min(byteCount / 2, firstChunkSize)) }

    private func noteTooLarge(_ error: RegistryError, _ length: Int64) -> any Error {
        guard length > leastChunkSize else {
            var error = error
            error.reason = Self.advice(refused: length, least: session?.upload.minimumChunkSize ?? 0)
            return error
        }
        wasTooLarge = true
        chunkSize = size(below: length)
        return TooLarge()
    }

    private static func advice(refused length: Int64, least: Int64) -> String {
        if length == 0 { return "the blob as a whole is too large for the registry" }
        if length == least {
            return "the registry wants chunks of \(length) bytes at least, and a proxy before it refuses them"
        }
        return "a body of \(length) bytes is too large there; the proxy before the registry has to allow larger ones"
    }

    /// Whether a refusal is about the chunks that went before, and not about the blob.
    ///
    /// That may be where one of them broke. Where none did, one new session is enough to be sure.
    private func isLost(_ error: RegistryError) -> Bool {
        guard chunkSize != nil, let session, error.status == 400 || error.status == 416 else { return false }
        defer { wasRefusedWhole = wasRefusedWhole || !session.hasBroken }
        return session.hasBroken || !wasRefusedWhole
    }
}

extension RegistryError {
    /// Whether bytes were on their way when it happened, so that fewer at a time may get through.
    fileprivate var isBreak: Bool {
        switch code {
        case .connectionLost, .timeout: true
        default: status.map { $0 == 408 || $0 >= 500 } ?? false
        }
    }
}
