import Dispatch
import NIOCore
import NIOEmbedded
import NIOPosix
import OCI
import RegistryTestSupport
import TestSupport
import Testing

@testable import RegistryClient

@Suite struct VerificationQueueTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func queue(_ blob: Descriptor, threads: Int = 1) -> VerificationQueue {
        queue(blob, VerificationThreads(count: threads))
    }

    private func queue(_ blob: Descriptor, _ threads: VerificationThreads) -> VerificationQueue {
        let context = RequestContext(operation: "fetching the blob", subject: "\(blob.digest)")
        return VerificationQueue(blob, context: context, threads: threads)
    }

    /// Hands over bytes as a connection does: no more while there is no room.
    private func send(_ bytes: ArraySlice<UInt8>, by length: Int, to queue: VerificationQueue) async throws {
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: length) {
            let buffer = ByteBuffer(bytes: bytes[start..<min(start + length, bytes.endIndex)])
            try await queue.take(buffer, on: loop)?.get()
        }
    }

    /// Whether nothing waits, at the latest when what was begun is done.
    private func isIdle(_ threads: VerificationThreads) -> Bool {
        threads.all.allSatisfy { thread in
            thread.wait()
            return thread.waitingCount == 0
        }
    }

    @Test func `blobs that come at once are each held to their own digest, and share the threads`() async throws {
        let threads = VerificationThreads(count: 2)
        let blobs = try (1...16).map { try TestBlob.random(3_000_001, seed: UInt64($0)) }
        try await withThrowingTaskGroup { group in
            for (index, blob) in blobs.enumerated() {
                group.addTask {
                    let queue = queue(blob.descriptor, threads)
                    try await send(try blob.bytes[...], by: 1 << (13 + index / 2), to: queue)
                    #expect(queue.byteCount == blob.descriptor.size)
                    try queue.finish()
                }
            }
            try await group.waitForAll()
        }
        #expect(isIdle(threads))
    }

    @Test func `the next bytes wait while too many are not digested`() async throws {
        let blob = try TestBlob.random(64 << 20)
        let bytes = ByteBuffer(bytes: try blob.bytes)
        let (threads, half) = (VerificationThreads(count: 1), 32 << 20)
        let queue = queue(blob.descriptor, threads)
        let first = try #require(bytes.getSlice(at: 0, length: half))
        let room = try #require(queue.take(first, on: loop))
        try await room.get()
        let second = try #require(bytes.getSlice(at: half, length: half))
        let next = queue.take(second, on: loop)
        try queue.finish()
        try await next?.get()
        #expect(isIdle(threads))
    }

    @Test(arguments: [(0, 1 << 20), (1, 10_000)])
    func `without a thread, and where they are few, bytes are digested at once`(threads: Int, length: Int) throws {
        let blob = try TestBlob.random(1 << 20)
        let bytes = try blob.bytes
        let queue = queue(blob.descriptor, threads: threads)
        for start in stride(from: 0, to: bytes.count, by: length) {
            let room = queue.take(ByteBuffer(bytes: bytes[start..<min(start + length, bytes.count)]), on: loop)
            #expect(room == nil)
        }
        try queue.finish()
    }

    @Test func `blobs of one connection's thread share the thread beside, as far as it has room`() async throws {
        let threads = VerificationThreads(count: 1)
        let thread = threads.all[0]
        let isHeldUp = DispatchSemaphore(value: 0)
        defer { isHeldUp.signal() }
        let length = 300 << 10
        #expect(thread.add(length, on: loop) { isHeldUp.wait() } == nil)
        let blobs = try (1...4).map { try TestBlob.random(length, seed: UInt64($0)) }
        let queues = blobs.map { queue($0.descriptor, threads) }
        let rooms = try zip(queues, blobs).map { queue, blob in
            queue.take(ByteBuffer(bytes: try blob.bytes), on: loop)
        }
        // The fourth is digested by the connection's own.
        try #require(rooms.map { $0 == nil } == [true, true, false, true])
        try #require(thread.waitingCount == 4 * length)
        try queues[3].finish()
        isHeldUp.signal()
        for room in rooms { try await room?.get() }
        for queue in queues[..<3] { try queue.finish() }
        #expect(isIdle(threads))
    }

    @Test func `while blobs come over as many threads as there are processors, none is beside`() throws {
        let threads = VerificationThreads(count: 1, processorCount: 2)
        let isHeldUp = DispatchSemaphore(value: 0)
        defer { isHeldUp.signal() }
        #expect(threads.all[0].add(1, on: loop) { isHeldUp.wait() } == nil)
        let blob = try TestBlob.random(100_000)
        let bytes = ByteBuffer(bytes: try blob.bytes)
        let (loops, byte) = ([EmbeddedEventLoop(), EmbeddedEventLoop()], ByteBuffer(bytes: [0]))
        let others = (0..<2).map { _ in queue(blob.descriptor, threads) }
        for other in others { #expect(other.take(byte, on: loops[0]) == nil) }
        let busy = queue(blob.descriptor, threads)
        #expect(busy.take(bytes, on: loops[1]) == nil)
        try #require(threads.all[0].waitingCount == 1)
        try busy.finish()
        // Where all come over one, the other processor is free.
        busy.noteHalted()
        let beside = queue(blob.descriptor, threads)
        #expect(beside.take(bytes, on: loops[0]) == nil)
        #expect(threads.all[0].waitingCount == 100_001)
        isHeldUp.signal()
        try beside.finish()
    }

    @Test func `a blob counts where it comes, and not while it does not`() throws {
        let threads = VerificationThreads(count: 4, processorCount: 2)
        let blob = try TestBlob.random(3).descriptor
        let (loops, byte) = ([EmbeddedEventLoop(), EmbeddedEventLoop()], ByteBuffer(bytes: [0]))
        var queues = (0..<2).map { _ in queue(blob, threads) }
        for (queue, loop) in zip(queues, loops) { #expect(queue.take(byte, on: loop) == nil) }
        #expect(threads.idlest() == nil)
        #expect(queues[1].take(byte, on: loops[0]) == nil)
        #expect(threads.idlest() != nil)
        #expect(queues[1].take(byte, on: loops[1]) == nil)
        #expect(threads.idlest() == nil)
        queues[0].noteHalted()
        #expect(threads.idlest() != nil)
        #expect(queues[0].take(byte, on: loops[0]) == nil)
        #expect(threads.idlest() == nil)
        queues.removeLast()
        #expect(threads.idlest() != nil)
    }

    @Test(arguments: [0, 2_000_000, 2_999_999])
    func `one wrong byte is found`(place: Int) async throws {
        let blob = try TestBlob.random(3_000_000)
        var bytes = try blob.bytes
        bytes[place] ^= 1
        let queue = queue(blob.descriptor)
        try await send(bytes[...], by: 65_536, to: queue)
        let error = #expect(throws: RegistryError.self) { try queue.finish() }
        #expect(error?.isDigestMismatch == true)
    }

    @Test func `what is missing is missing`() async throws {
        let blob = try TestBlob.random(100_000)
        let queue = queue(blob.descriptor)
        try await send(try blob.bytes[..<99_999], by: 1_000, to: queue)
        let error = #expect(throws: RegistryError.self) { try queue.finish() }
        #expect(error?.code == .sizeMismatch(expected: 100_000, actual: 99_999))
    }

    @Test func `what is read again comes after what still waits`() async throws {
        let blob = try TestBlob.random(64 << 20)
        let bytes = try blob.bytes
        let queue = queue(blob.descriptor)
        let count = blob.descriptor.size / 2
        let room = try #require(queue.take(ByteBuffer(bytes: bytes[..<Int(count)]), on: loop))
        try queue.take(count..<blob.descriptor.size) { range, hasher in
            unsafe bytes[Int(range.lowerBound)..<Int(range.upperBound)].withUnsafeBytes { unsafe hasher.update($0) }
        }
        try queue.finish()
        try await room.get()
    }
}
