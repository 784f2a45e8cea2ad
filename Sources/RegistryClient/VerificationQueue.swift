import NIOCore
import OCI
import Synchronization

/// Holds a blob to its descriptor while it arrives, beside the connection's own thread where a processor may be free.
///
/// To digest bytes takes as long as to read and write them, so two threads bring a blob in three fifths of the time of one.
/// Bytes are given to it by one caller at a time.
final class VerificationQueue: Sendable {
    /// What is less is digested about as soon as another thread has begun.
    private static let smallByteCount = 64 << 10

    private struct State {
        /// The bytes that were taken, digested or not.
        var byteCount: Int64
        /// Those of them that are given to another thread and not yet digested.
        var waitingCount = 0
        /// Where they wait; what comes meanwhile has to wait behind them.
        var thread: VerificationThread?
        /// The connections' thread that brings the blob; nil while nothing comes.
        var loop: ObjectIdentifier?
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
    }

    deinit { noteHalted() }

    /// The bytes that were taken.
    var byteCount: Int64 { state.withLock { $0.byteCount } }

    /// Takes the bytes that come next.
    ///
    /// - Returns: what the next read waits for; nil where it need not wait.
    func take(_ bytes: ByteBuffer, on loop: any EventLoop) -> EventLoopFuture<Void>? {
        let count = bytes.readableBytes
        guard count > 0 else { return nil }
        let thread = state.withLock { state -> VerificationThread? in
            state.byteCount += Int64(count)
            move(&state, to: ObjectIdentifier(loop))
            if state.waitingCount == 0 { state.thread = count < Self.smallByteCount ? nil : threads.idlest() }
            if state.thread != nil { state.waitingCount += count }
            return state.thread
        }
        guard let thread else {
            digest(bytes)
            return nil
        }
        return thread.add(count, on: loop) { [self] in
            digest(bytes)
            state.withLock { $0.waitingCount -= count }
        }
    }

    /// Notes that nothing comes until more is taken.
    func noteHalted() { state.withLock { move(&$0, to: nil) } }

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

    private func move(_ state: inout State, to loop: ObjectIdentifier?) {
        guard state.loop != loop else { return }
        threads.noteMoved(from: state.loop, to: loop)
        state.loop = loop
    }

    /// Does something after all that waits.
    private func inTurn(_ step: (BlobVerifier) throws -> Void) throws {
        state.withLock { $0.waitingCount > 0 ? $0.thread : nil }?.wait()
        try verifier.withLock { try step($0) }
    }

    private func digest(_ bytes: ByteBuffer) { verifier.withLock { $0.take(bytes.readableBytesSpan) } }
}
