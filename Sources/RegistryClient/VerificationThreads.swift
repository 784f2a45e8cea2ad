import Dispatch
import NIOCore
import Synchronization

/// The threads that digest beside those of the connections.
///
/// They have something to do only while a processor is free for them: where blobs come over all of the connections'
/// threads, every processor is busy as it is.
final class VerificationThreads: Sendable {
    /// Those of the process: half the processors are for the connections.
    static let shared = VerificationThreads(count: System.coreCount / 2, processorCount: System.coreCount)

    let all: [VerificationThread]
    private let processorCount: Int
    /// How many blobs are on their way over each thread of connections that has any.
    private let blobCounts = Mutex<[ObjectIdentifier: Int]>([:])

    init(count: Int, processorCount: Int = .max) {
        all = (0..<count).map { _ in VerificationThread() }
        self.processorCount = processorCount
    }

    /// Notes that a blob comes over another thread of connections than before; nil where it does not come.
    func noteMoved(from old: ObjectIdentifier?, to new: ObjectIdentifier?) {
        blobCounts.withLock { counts in
            if let new { counts[new, default: 0] += 1 }
            guard let old, let count = counts[old] else { return }
            counts[old] = count > 1 ? count - 1 : nil
        }
    }

    /// The one that has the least to do; nil where no processor is free for any, or all have enough.
    func idlest() -> VerificationThread? {
        let freeCount = processorCount - blobCounts.withLock { $0.count }
        let idlest = all.prefix(max(0, freeCount)).min { $0.waitingCount < $1.waitingCount }
        return idlest.flatMap { $0.hasRoom ? $0 : nil }
    }
}

/// A thread that digests what is given to it, one after the other.
final class VerificationThread: Sendable {
    /// From how many bytes on there is no room: more would bring nothing, and what comes after them waits in its connection.
    ///
    /// Each connection may have read a piece by then.
    private static let limit = 1 << 20

    private struct State {
        /// The bytes that are not yet digested.
        var waitingCount = 0
        /// Completed when there is room for more.
        var rooms: [EventLoopPromise<Void>] = []
    }

    private let queue = DispatchQueue(label: "dev.drayage.verification")
    private let state = Mutex(State())

    /// How many bytes are not yet digested.
    var waitingCount: Int { state.withLock { $0.waitingCount } }

    /// Whether more bytes would not wait for long.
    var hasRoom: Bool { waitingCount < Self.limit }

    /// Digests bytes after all that came before.
    ///
    /// - Returns: what the next read waits for; nil where it need not wait.
    func add(_ count: Int, on loop: any EventLoop, _ digest: @escaping @Sendable () -> Void) -> EventLoopFuture<Void>? {
        let room = state.withLock { state -> EventLoopPromise<Void>? in
            state.waitingCount += count
            guard state.waitingCount >= Self.limit else { return nil }
            let room = loop.makePromise(of: Void.self)
            state.rooms.append(room)
            return room
        }
        queue.async { [self] in
            digest()
            noteDone(count)
        }
        return room?.futureResult
    }

    /// Waits until all is digested that came before.
    func wait() { queue.sync {} }

    private func noteDone(_ count: Int) {
        let rooms = state.withLock { state -> [EventLoopPromise<Void>] in
            state.waitingCount -= count
            guard state.waitingCount < Self.limit else { return [] }
            defer { state.rooms = [] }
            return state.rooms
        }
        for room in rooms { room.succeed() }
    }
}
