import Dispatch
import NIOCore
import OCI
import Synchronization

/// Holds a blob to its descriptor while it arrives, beside the connection's own thread where a processor may be free.
///
/// To digest bytes takes as long as to read and write them, so two threads bring a blob in three fifths of the time of one.
/// Where more blobs come at once than there are processors all are busy as it is: each is then digested by its connection's.
/// Bytes are given to it by one caller at a time.
final class VerificationQueue: Sendable {
    /// From how many bytes on there is no room: more would bring nothing, and what comes after them waits in the connection.
    private static let limit = 1 << 20
    /// What is less is digested about as soon as another thread has begun.
    private static let smallByteCount = 64 << 10

    private struct State {
        /// The bytes that were taken, digested or not.
        var byteCount: Int64
        /// Those of them that are given to the other thread and not yet digested.
        var waitingCount = 0
        /// Completed when there is room for more.
        var room: EventLoopPromise<Void>?
        /// What brings them to it, one after the other; most blobs need none.
        var queue: DispatchQueue?
    }

    private let verifier: Mutex<BlobVerifier>
    private let state: Mutex<State>
    private let threads: VerificationThreads

    init(
        _ expected: Descriptor,
        after prefix: sending BlobPrefix? = nil,
        context: RequestContext,
        threads: VerificationThreads = .shared
    ) {
        let verifier = BlobVerifier(expected, after: prefix, context: context)
        state = Mutex(State(byteCount: verifier.byteCount))
        self.verifier = Mutex(verifier)
        self.threads = threads
        threads.noteBegun()
    }

    deinit { threads.noteEnded() }

    /// The bytes that were taken.
    var byteCount: Int64 { state.withLock { $0.byteCount } }

    /// Takes the bytes that come next.
    ///
    /// - Returns: what the next read waits for; nil where it need not wait.
    func take(_ bytes: ByteBuffer, on loop: any EventLoop) -> EventLoopFuture<Void>? {
        let count = bytes.readableBytes
        guard count > 0 else { return nil }
        let (queue, room) = state.withLock { state -> (DispatchQueue?, EventLoopFuture<Void>?) in
            state.byteCount += Int64(count)
            guard state.waitingCount > 0 || count >= Self.smallByteCount && threads.take() else { return (nil, nil) }
            let queue = state.queue ?? DispatchQueue(label: "dev.drayage.verification")
            state.queue = queue
            state.waitingCount += count
            if state.waitingCount >= Self.limit { state.room = state.room ?? loop.makePromise() }
            return (queue, state.room?.futureResult)
        }
        if let queue {
            queue.async { [self] in
                digest(bytes)
                noteDone(count)
            }
        } else {
            digest(bytes)
        }
        return room
    }

    /// Takes the bytes that come next from where they were written to.
    ///
    /// - Throws: what reading throws.
    func take(_ range: Range<Int64>, _ read: @Sendable (Range<Int64>, DigestHasher) throws -> Void) throws {
        try inTurn { try $0.take(range, read) }
        state.withLock { $0.byteCount = range.upperBound }
    }

    /// Ends the blob.
    ///
    /// - Throws: ``RegistryError`` where bytes are missing or wrong.
    func finish() throws { try inTurn { try $0.finish() } }

    /// Does something after all that was given to the other thread.
    private func inTurn(_ step: (BlobVerifier) throws -> Void) throws {
        guard let queue = state.withLock(\.queue) else { return try verifier.withLock { try step($0) } }
        try queue.sync { try verifier.withLock { try step($0) } }
    }

    private func digest(_ bytes: ByteBuffer) { verifier.withLock { $0.take(bytes.readableBytesSpan) } }

    private func noteDone(_ count: Int) {
        let room = state.withLock { state -> EventLoopPromise<Void>? in
            state.waitingCount -= count
            if state.waitingCount == 0 { threads.giveBack() }
            guard state.waitingCount < Self.limit else { return nil }
            defer { state.room = nil }
            return state.room
        }
        room?.succeed()
    }
}

/// How many blobs may be digested beside their connections' threads.
final class VerificationThreads: Sendable {
    /// Those of the process: half the processors are for the connections.
    static let shared = VerificationThreads(count: System.coreCount / 2, blobLimit: System.coreCount)

    private struct State {
        var freeCount: Int
        /// The blobs that are on their way.
        var blobCount = 0
    }

    private let state: Mutex<State>
    /// Of more blobs at once none is digested so: they have all processors busy without.
    private let blobLimit: Int

    init(count: Int, blobLimit: Int = .max) {
        state = Mutex(State(freeCount: count))
        self.blobLimit = blobLimit
    }

    /// How many more may be taken.
    var freeCount: Int { state.withLock { $0.freeCount } }

    /// Notes that another blob is on its way.
    func noteBegun() { state.withLock { $0.blobCount += 1 } }

    /// Notes that a blob has come, or comes no more.
    func noteEnded() { state.withLock { $0.blobCount -= 1 } }

    /// Takes one; false where there is none.
    func take() -> Bool {
        state.withLock { state in
            guard state.freeCount > 0, state.blobCount <= blobLimit else { return false }
            state.freeCount -= 1
            return true
        }
    }

    func giveBack() { state.withLock { $0.freeCount += 1 } }
}
