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

    /// A registry that refuses at first.
    @Test(arguments: [429, 503])
    func `a registry that refuses is asked for less, and has all asked in the end`(status: Int) async throws {
        let content = RegistryContent()
        var builder = ImageBuilder()
        try content.add(try builder.image(), repository: "app", tag: "latest")
        let refusals = Mutex(20)
        let registry = try ScriptedRegistry { request in
            let isRefused = refusals.withLock { left in
                left -= 1
                return left >= 0
            }
            return isRefused ? Answer(status) : content.answer(request)
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
            #expect(client.registry(repository.registry).slots.reductionCount > 0)
        }
    }
}
