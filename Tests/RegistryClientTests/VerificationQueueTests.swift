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
        #expect(threads.free()?.waitingCount == 0)
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
        #expect(threads.free()?.waitingCount == 0)
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
        let thread = try #require(threads.free())
        let isHeldUp = DispatchSemaphore(value: 0)
        let length = 300 << 10
        #expect(thread.add(length, on: loop) { isHeldUp.wait() } == nil)
        let blobs = try (1...4).map { try TestBlob.random(length, seed: UInt64($0)) }
        let queues = blobs.map { queue($0.descriptor, threads) }
        let rooms = try zip(queues, blobs).map { queue, blob in
            queue.take(ByteBuffer(bytes: try blob.bytes), on: loop)
        }
        // The fourth is digested by the connection's own.
        #expect(rooms.map { $0 == nil } == [true, true, false, true])
        #expect(thread.waitingCount == 4 * length)
        try queues[3].finish()
        isHeldUp.signal()
        for room in rooms { try await room?.get() }
        for queue in queues[..<3] { try queue.finish() }
        #expect(thread.waitingCount == 0)
    }

    @Test func `while blobs come over as many threads as there are processors, none is beside`() throws {
        let threads = VerificationThreads(count: 4, processorCount: 2)
        let blob = try TestBlob.random(3).descriptor
        let loops = [EmbeddedEventLoop(), EmbeddedEventLoop()]
        let byte = ByteBuffer(bytes: [0])
        var queues = (0..<3).map { _ in queue(blob, threads) }
        for queue in queues { #expect(queue.take(byte, on: loops[0]) == nil) }
        #expect(threads.free() != nil)
        #expect(queues[2].take(byte, on: loops[1]) == nil)
        #expect(threads.free() == nil)
        // Back, and then to an end.
        #expect(queues[2].take(byte, on: loops[0]) == nil)
        #expect(threads.free() != nil)
        #expect(queues[1].take(byte, on: loops[1]) == nil)
        #expect(threads.free() == nil)
        queues.remove(at: 1)
        #expect(threads.free() != nil)
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
