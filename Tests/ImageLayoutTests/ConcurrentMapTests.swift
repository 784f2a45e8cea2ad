import ImageLayout
import Synchronization
import Testing

@Suite struct ConcurrentMapTests {
    @Test(arguments: [0, 1, 16, 17, 255, 256, 1000])
    func `each element is transformed once, and the results are in the order of the elements`(count: Int) {
        let callCount = Atomic(0)
        let results = Array(0..<count).concurrentMap { number in
            callCount.add(1, ordering: .relaxed)
            return "\(number)"
        }
        #expect(results == (0..<count).map(String.init))
        #expect(callCount.load(ordering: .relaxed) == count)
    }
}
