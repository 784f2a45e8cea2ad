import Dispatch
import ImageLayout
import Synchronization
import Testing

@Suite struct EagerTests {
    @Test func `a value is made once, for all that ask for it`() {
        let callCount = Atomic(0)
        let value = Eager { callCount.add(1, ordering: .relaxed).newValue }
        let results = Array(0..<100).concurrentMap { _ in value.value }
        #expect(results.allSatisfy { $0 == 1 })
        #expect(callCount.load(ordering: .relaxed) == 1)
    }

    /// Each wants another, and there are more of them than the system has threads for.
    @Test(.timeLimit(.minutes(1))) func `who needs a value does not wait for a thread`() {
        let values = (0..<1000).map { number in Eager { Eager { Eager { number }.value }.value } }
        #expect(values.map(\.value) == Array(0..<1000))
    }
}
