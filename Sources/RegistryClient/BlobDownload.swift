import NIOHTTP1
import OCI
import Synchronization

/// A blob on its way, over as many requests as it takes: how far the sink has it, and the digest of that.
final class BlobDownload: Sendable {
    /// The registry did not go on where the blob broke off.
    struct RangeRefused: Error {}

    /// The beginning that was there from an earlier run is not that of the blob.
    struct PrefixDamaged: Error {}

    private struct State {
        var verifier: BlobVerifier
        /// The bytes are wrong, so that there is nothing to go on from.
        var isSpoiled = false
        /// Whether an earlier run had its beginning.
        var hasPrefix: Bool
        var mayContinue = true
        /// The entity tag of the bytes so far.
        var entityTag: String?
        /// Where the request that is under way begins.
        var start: Int64 = 0
        var furthest: Int64 = 0
    }

    private let blob: Descriptor
    private let context: RequestContext
    private let sink: BlobSink
    private let restarting: @Sendable (Int64) -> Void
    private let state: Mutex<State>

    /// The most bytes that were there at one time.
    var furthest: Int64 { state.withLock { $0.furthest } }

    /// The statuses of an answer to the request that is under way.
    var statuses: Set<Int> { state.withLock { $0.start > 0 ? [200, 206] : [200] } }

    init(
        _ blob: Descriptor,
        after prefix: sending BlobPrefix?,
        context: RequestContext,
        sink: @escaping BlobSink,
        restarting: @escaping @Sendable (Int64) -> Void
    ) {
        self.blob = blob
        self.context = context
        self.sink = sink
        self.restarting = restarting
        let hasPrefix = prefix != nil
        state = Mutex(State(verifier: BlobVerifier(blob, after: prefix, context: context), hasPrefix: hasPrefix))
    }

    // MARK: - Requests

    /// Begins a request: it asks for what is missing, as long as it is of the same bytes where their tag can tell.
    ///
    /// - Returns: its headers.
    ///
    /// Spec: RFC 9110 "Range", "If-Range".
    func nextHeaders() -> HTTPHeaders {
        state.withLock { state in
            state.start = state.isSpoiled || !state.mayContinue ? 0 : state.verifier.byteCount
            guard state.start > 0 else { return [:] }
            var headers: HTTPHeaders = ["Range": "bytes=\(state.start)-"]
            if let tag = state.entityTag, tag.hasPrefix("\"") { headers.add(name: "If-Range", value: tag) }
            return headers
        }
    }

    /// Asks for no range any more, since this registry answers with another.
    func stopContinuing() { state.withLock { $0.mayContinue = false } }

    /// Whether every byte is there, and verified: only the end of the answer was lost.
    ///
    /// - Throws: ``RegistryError`` where they do not verify, ``PrefixDamaged``.
    func isWhole() throws -> Bool {
        try state.withLock { state in
            guard blob.size > 0, state.verifier.byteCount == blob.size, !state.isSpoiled else { return false }
            try Self.finish(&state)
            return true
        }
    }

    // MARK: - Answers

    /// Takes the head of an answer.
    ///
    /// - Returns: whether its body is of the blob.
    /// - Throws: ``RegistryError`` for another size, ``RangeRefused``.
    func begin(_ head: HTTPResponseHead) throws -> Bool {
        try state.withLock { state in
            switch head.status {
            case .ok:
                if let length = head.contentLength, length != blob.size {
                    throw RegistryError(.sizeMismatch(expected: blob.size, actual: length), context)
                }
                restart(&state)
                state.entityTag = head.headers.first(name: "ETag")
            case .partialContent where state.start > 0:
                guard continues(head, state) else { throw RangeRefused() }
            case .rangeNotSatisfiable where state.start > 0:
                throw RangeRefused()
            default:
                return false
            }
            return true
        }
    }

    /// Takes a piece of the body.
    func take(_ bytes: RawSpan) throws {
        try state.withLock { state in
            do {
                try state.verifier.take(bytes, sink: sink)
                state.furthest = max(state.furthest, state.verifier.byteCount)
            } catch {
                state.isSpoiled = true
                throw error
            }
        }
    }

    /// Ends the blob.
    ///
    /// - Throws: ``RegistryError`` where bytes are missing or wrong, ``PrefixDamaged``.
    func finish() throws { try state.withLock { try Self.finish(&$0) } }

    private static func finish(_ state: inout State) throws {
        do {
            try state.verifier.finish()
        } catch let error as RegistryError {
            // What is only too short can still be continued.
            guard case .digestMismatch = error.code else { throw error }
            state.isSpoiled = true
            // No registry is to blame before it has sent all of it.
            throw state.hasPrefix ? PrefixDamaged() : error
        }
    }

    private func restart(_ state: inout State) {
        let lost = state.verifier.byteCount
        guard lost > 0 || state.isSpoiled else { return }
        state.verifier = BlobVerifier(blob, context: context)
        (state.isSpoiled, state.hasPrefix) = (false, false)
        if lost > 0 { restarting(lost) }
    }

    /// Whether an answer is the rest of these bytes, to the last.
    private func continues(_ head: HTTPResponseHead, _ state: State) -> Bool {
        let range = head.headers.first(name: "Content-Range").flatMap { ContentRange($0) }
        let isRest = range.map { $0.first == state.start && $0.last == blob.size - 1 } ?? false
            && range?.byteCount ?? blob.size == blob.size
        let (old, new) = (state.entityTag, head.headers.first(name: "ETag"))
        let isSame = old == nil || new == nil || old == new
        return isRest && isSame && head.contentLength.map { $0 == blob.size - state.start } ?? true
    }
}

extension HTTPResponseHead {
    /// The announced length of the body.
    fileprivate var contentLength: Int64? { headers.first(name: "Content-Length").flatMap { Int64($0) } }
}
