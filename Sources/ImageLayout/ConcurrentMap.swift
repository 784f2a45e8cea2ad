import Dispatch
import Synchronization

extension Array where Element: Sendable {
    /// Transforms the elements on all processors.
    ///
    /// - Parameter transform: is called for many elements at once, on the caller's thread and others.
    /// - Returns: the results in the order of the elements.
    package func concurrentMap<Output: Sendable>(_ transform: @Sendable (Element) -> Output) -> [Output] {
        // Some together, as an element may be no more than a few hundred bytes to read; but so that there is work for all.
        let length = Swift.max(1, Swift.min(16, count / 16))
        let parts = Mutex([[Output]](repeating: [], count: (count + length - 1) / length))
        DispatchQueue.concurrentPerform(iterations: (count + length - 1) / length) { index in
            let part = self[(index * length)..<Swift.min((index + 1) * length, count)].map(transform)
            parts.withLock { $0[index] = part }
        }
        return parts.withLock { [Output]($0.joined()) }
    }
}
