import NIOCore
import NIOHTTP1
import OCI
import Synchronization

/// A blob on its way, over as many requests as it takes: how far the sink has it, and the digest of its beginning.
final class BlobDownload: Sendable {
    /// The registry did not go on where it was asked to.
    struct RangeRefused: Error {}

    /// The beginning that was there from an earlier run is not that of the blob.
    struct PrefixDamaged: Error {}

    /// What follows is fetched by another request, so that nothing more is read of this one's answer.
    struct PieceEnded: Error {}

    private struct State {
        var verifier: VerificationQueue
        var pieces: BlobPieces
        /// The bytes are wrong, so that there is nothing to go on from.
        var isSpoiled = false
        /// Whether an earlier run had its beginning.
        var hasPrefix: Bool
        var mayContinue = true
        /// The entity tag of the bytes so far.
        var entityTag: String?
        var furthest: Int64 = 0
        /// The beginning that the place knows of.
        var noted: Int64 = 0
        var isCatchingUp = false
        var receivedCount: Int64 = 0
    }

    private let blob: Descriptor
    private let context: RequestContext
    private let place: BlobPlace
    private let state: Mutex<State>

    /// The most bytes that were there at one time.
    var furthest: Int64 { state.withLock { $0.furthest } }

    init(
        _ blob: Descriptor,
        after prefix: sending BlobPrefix?,
        context: RequestContext,
        place: BlobPlace,
        pieceLength: Int64
    ) {
        self.blob = blob
        self.context = context
        self.place = place
        let (start, hasPrefix) = (prefix?.byteCount ?? 0, prefix != nil)
        state = Mutex(
            State(
                verifier: VerificationQueue(blob, after: prefix, context: context),
                pieces: BlobPieces(from: start, to: blob.size, length: pieceLength),
                hasPrefix: hasPrefix
            )
        )
    }

    // MARK: - Requests

    /// A request for bytes of the blob.
    struct Request: Sendable {
        let download: BlobDownload
        /// The piece to which they belong.
        let piece: Int
        /// What is asked for; nil for the whole blob.
        let range: Range<Int64>?
        /// The headers that ask for it.
        let headers: HTTPHeaders
    }

    /// Begins a request: it asks for what is missing of a piece, as long as it is of the same bytes where their tag can
    /// tell.
    ///
    /// Spec: RFC 9110 "Range", "If-Range".
    func request(for id: Int) -> Request {
        state.withLock { state in
            let startsAnew = state.isSpoiled || !state.mayContinue
            guard let piece = state.pieces[id], !startsAnew, piece.position > 0 else {
                return Request(download: self, piece: id, range: nil, headers: [:])
            }
            let last = piece.end == blob.size ? "" : "\(piece.end - 1)"
            var headers: HTTPHeaders = ["Range": "bytes=\(piece.position)-\(last)"]
            if let tag = state.entityTag, tag.hasPrefix("\"") { headers.add(name: "If-Range", value: tag) }
            return Request(download: self, piece: id, range: piece.position..<piece.end, headers: headers)
        }
    }

    /// Asks for no range any more, since this registry answers with another.
    func stopContinuing() { state.withLock { $0.mayContinue = false } }

    /// Whether every byte is there: only the end of an answer may have been lost.
    var isWhole: Bool {
        state.withLock { $0.pieces.isWhole && $0.verifier.byteCount == blob.size && !$0.isSpoiled && blob.size > 0 }
    }

    // MARK: - Answers

    /// Takes the head of an answer.
    ///
    /// - Returns: whether its body is of the blob.
    /// - Throws: ``RegistryError`` for another size, ``RangeRefused``, ``PieceEnded``.
    func begin(_ head: HTTPResponseHead, of request: Request) throws -> Bool {
        try state.withLock { state in
            // What was asked for is nobody's any more.
            guard state.pieces[request.piece] != nil else { throw PieceEnded() }
            switch head.status {
            case .ok:
                if let length = head.contentLength, length != blob.size {
                    throw RegistryError(.sizeMismatch(expected: blob.size, actual: length), context)
                }
                let tag = head.headers.first(name: "ETag")
                if state.pieces.isSingle, request.piece == 0 {
                    restart(&state)
                    state.entityTag = tag
                } else {
                    // Help may have come first. Beside others, an answer that begins again is of no use.
                    let isBeginning = request.piece == 0 && state.pieces[0]?.position == 0
                    guard isBeginning, isSame(state.entityTag, tag) else { throw RangeRefused() }
                }
            case .partialContent where request.range != nil:
                guard let range = request.range, isAnswer(head, to: range, state.entityTag) else {
                    throw RangeRefused()
                }
                state.entityTag = state.entityTag ?? head.headers.first(name: "ETag")
                if state.pieces.isProbe(request.piece), !state.pieces.keepProbe() { throw PieceEnded() }
            case .rangeNotSatisfiable where request.range != nil:
                throw RangeRefused()
            default:
                return false
            }
            return true
        }
    }

    /// Takes bytes of the body.
    ///
    /// - Returns: what the next read waits for; nil where it need not wait.
    /// - Throws: ``RegistryError`` for more than there may be, ``PieceEnded``, what the sink throws.
    func take(_ buffer: ByteBuffer, of request: Request, on loop: any EventLoop) throws -> EventLoopFuture<Void>? {
        let (offset, count) = try state.withLock { state in
            guard let piece = state.pieces[request.piece], state.pieces.isSingle || !piece.isWhole else {
                throw PieceEnded()
            }
            let end = piece.position + Int64(buffer.readableBytes)
            guard end <= request.range?.upperBound ?? blob.size else {
                state.isSpoiled = true
                throw RegistryError(.sizeMismatch(expected: blob.size, actual: end), context)
            }
            let count = min(end, piece.end) - piece.position
            state.pieces.write(request.piece, to: piece.position + count)
            return (piece.position, Int(count))
        }
        var bytes = buffer
        bytes.moveWriterIndex(to: bytes.readerIndex + count)
        do {
            try place.write(bytes.readableBytesSpan, offset)
        } catch {
            throw TransportFailure.SinkFailure(underlying: error)
        }
        return try state.withLock { state in
            // What is ahead of the beginning is digested when that has come to it.
            let room = offset == state.verifier.byteCount ? state.verifier.take(bytes, on: loop) : nil
            state.pieces.advance(request.piece, to: offset + Int64(count))
            state.receivedCount += Int64(count)
            try note(&state)
            let asked = request.range?.upperBound ?? blob.size
            if let piece = state.pieces[request.piece], piece.isWhole, piece.end < asked { throw PieceEnded() }
            return room
        }
    }

    /// Ends an answer.
    ///
    /// - Throws: ``RegistryError`` where bytes of it are missing.
    func finish(_ request: Request) throws {
        try state.withLock { state in
            // What is too short can still be continued.
            guard let piece = state.pieces[request.piece], !piece.isWhole else { return }
            throw RegistryError(.sizeMismatch(expected: blob.size, actual: piece.position), context)
        }
    }

    /// Notes that a request has ended, whichever way: the next may be long in coming.
    func noteRequestEnded() { state.withLock { $0.verifier.noteHalted() } }

    /// Ends the blob.
    ///
    /// - Throws: ``RegistryError`` where bytes are missing or wrong, ``PrefixDamaged``.
    func finish() throws {
        try state.withLock { state in
            do {
                try state.verifier.finish()
            } catch let error as RegistryError {
                guard case .digestMismatch = error.code else { throw error }
                state.isSpoiled = true
                // No registry is to blame before it has sent all of it.
                throw state.hasPrefix ? PrefixDamaged() : error
            }
        }
    }

    private func note(_ state: inout State) throws {
        let prefix = state.pieces.prefixEnd
        guard prefix > state.noted else { return }
        state.noted = prefix
        state.furthest = max(state.furthest, prefix)
        do {
            try place.note(prefix)
        } catch {
            throw TransportFailure.SinkFailure(underlying: error)
        }
    }

    private func restart(_ state: inout State) {
        let lost = state.pieces.prefixEnd
        guard lost > 0 || state.isSpoiled else { return }
        state.verifier = VerificationQueue(blob, context: context)
        state.pieces = state.pieces.begunAnew(from: 0)
        (state.isSpoiled, state.hasPrefix, state.noted) = (false, false, 0)
        if lost > 0 { place.restarting(lost) }
    }

    /// Whether an answer is what was asked for, to the last byte, and of the same blob.
    private func isAnswer(_ head: HTTPResponseHead, to asked: Range<Int64>, _ entityTag: String?) -> Bool {
        let range = head.headers.first(name: "Content-Range").flatMap { ContentRange($0) }
        guard let range, range.first == asked.lowerBound, range.last == asked.upperBound - 1,
            range.byteCount ?? blob.size == blob.size
        else { return false }
        return isSame(entityTag, head.headers.first(name: "ETag"))
            && head.contentLength ?? Int64(asked.count) == Int64(asked.count)
    }

    /// Whether two tags, as far as they are given, are of the same bytes.
    private func isSame(_ old: String?, _ new: String?) -> Bool { old == nil || new == nil || old == new }
}

// MARK: - Pieces

extension BlobDownload {
    /// How many bytes of a piece are there, counted from the blob's beginning.
    func position(of id: Int) -> Int64 { state.withLock { $0.pieces[id]?.position ?? blob.size } }

    /// Whether the bytes are wrong, so that all of them have to come again.
    var isSpoiled: Bool { state.withLock { $0.isSpoiled } }

    /// How many bytes of a piece are not there.
    func missingCount(of id: Int) -> Int64 { state.withLock { $0.pieces[id].map { $0.end - $0.position } ?? 0 } }

    /// Whether a piece was asked for to find out whether the registry sends such.
    func isProbe(_ id: Int) -> Bool { state.withLock { $0.pieces.isProbe(id) } }

    /// How many bytes have come, those of all requests together.
    var receivedCount: Int64 { state.withLock { $0.receivedCount } }

    /// Whether there is something that nobody fetches.
    var hasRest: Bool { state.withLock { $0.pieces.hasRest } }

    /// Whether one request fetches all of it.
    var isSingle: Bool { state.withLock { $0.pieces.isSingle } }

    /// Takes a piece that nobody fetches; nil where there is none.
    func claim() -> Int? { state.withLock { $0.pieces.claim() } }

    /// Takes a piece ahead of the only one; nil where that is not worth it.
    func claimProbe() -> Int? { state.withLock { $0.pieces.claimProbe() } }

    /// Forgets the piece that was asked for to find out.
    func dropProbe() { state.withLock { $0.pieces.dropProbe() } }

    /// Gives a piece back.
    func release(_ id: Int) { state.withLock { $0.pieces.release(id) } }

    /// Digests what has been written ahead, as far as the beginning has come to it; one task does that for all.
    ///
    /// - Throws: `CancellationError`, what reading throws.
    func catchUp() async throws {
        let isFirst = state.withLock { state in
            defer { state.isCatchingUp = true }
            return !state.isCatchingUp
        }
        guard isFirst else { return }
        do {
            while try catchUpStep() {
                try Task.checkCancellation()
                await Task.yield()
            }
        } catch {
            state.withLock { $0.isCatchingUp = false }
            throw error
        }
    }

    private func catchUpStep() throws -> Bool {
        // Short, because what arrives meanwhile waits for it.
        let stepLength: Int64 = 1 << 20
        guard let read = place.read else { return false }
        return try state.withLock { state in
            let (start, end) = (state.verifier.byteCount, state.pieces.prefixEnd)
            guard start < end else {
                // At once, so that whoever brings more from now on does it himself.
                state.isCatchingUp = false
                return false
            }
            try state.verifier.take(start..<min(start + stepLength, end), read)
            state.pieces.forget(before: state.verifier.byteCount)
            return true
        }
    }

    /// Goes back to one request for the rest; what is there beyond the beginning is lost.
    func fetchRestAlone() {
        state.withLock { state in
            let start = state.verifier.byteCount
            let lost = state.pieces.prefixEnd - start + state.pieces.aheadCount
            state.pieces = state.pieces.begunAnew(from: start)
            state.noted = min(state.noted, start)
            if lost > 0 { place.lost(lost) }
        }
    }
}

extension HTTPResponseHead {
    /// The announced length of the body.
    var contentLength: Int64? { headers.first(name: "Content-Length").flatMap { Int64($0) } }
}
