import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import RegistryClient

/// A host that says that it is too much is asked for less, and for more again when it serves.
@Suite struct OverloadTests {
    @Test func `of refusals that come together one counts`() {
        let slots = RequestSlots(limit: 32)
        let seen = slots.reductionCount
        for _ in 0..<32 { slots.reduce(since: seen) }
        #expect(slots.count == 16)
        slots.reduce(since: slots.reductionCount)
        #expect(slots.count == 8)
    }

    @Test func `there is always one`() {
        let slots = RequestSlots(limit: 5)
        for _ in 0..<10 { slots.reduce(since: slots.reductionCount) }
        #expect(slots.count == 1)
        #expect(slots.hasFree)
    }

    @Test func `each round that is served gives one more, up to the limit`() {
        let slots = RequestSlots(limit: 5)
        slots.reduce(since: 0)
        #expect(slots.count == 2)
        slots.noteServed()
        #expect(slots.count == 2)
        slots.noteServed()
        #expect(slots.count == 3)
        for _ in 0..<100 { slots.noteServed() }
        #expect(slots.count == 5)
    }

    @Test func `who waits gets the slot that comes back`() async throws {
        let slots = RequestSlots(limit: 2)
        slots.reduce(since: 0)
        let first = Mutex(false)
        let second = Mutex(false)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let holder = Task.immediate {
            try await slots.withSlot {
                first.withLock { $0 = true }
                for await _ in ends { break }
            }
        }
        let waiter = Task.immediate { try await slots.withSlot { second.withLock { $0 = true } } }
        #expect(first.withLock { $0 })
        #expect(!second.withLock { $0 })
        slots.noteServed()
        try await waiter.value
        #expect(second.withLock { $0 })
        end.yield()
        try await holder.value
    }

    /// A registry that refuses whatever is more than a few at a time.
    @Test(arguments: [429, 503])
    func `a registry that takes few at a time is asked for few`(status: Int) async throws {
        let content = RegistryContent()
        var builder = ImageBuilder()
        try content.add(try builder.image(), repository: "app", tag: "latest")
        let running = Mutex(0)
        let refusals = Mutex(0)
        let limit = 4
        let registry = try ScriptedRegistry { request in
            let count = running.withLock { running in
                running += 1
                return running
            }
            defer { running.withLock { $0 -= 1 } }
            guard count <= limit else {
                refusals.withLock { $0 += 1 }
                return Answer(status)
            }
            Thread.sleep(forTimeInterval: 0.01)
            return content.answer(request)
        }
        let clock = TestClock()
        var configuration = clock.configuration()
        configuration.requestLimit = 32
        configuration.retryLimit = 20
        let repository = try registry.repository()
        try await withClient(configuration) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<200 { group.addTask { _ = try await client.tags(of: repository) } }
                try await group.waitForAll()
            }
            // 32 at a time, again and again, would have been refused much more often.
            #expect(refusals.withLock { $0 } < 200)
            #expect(client.registry(repository.registry).slots.reductionCount > 0)
        }
    }
}
