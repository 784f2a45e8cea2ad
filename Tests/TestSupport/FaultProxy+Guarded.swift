import Foundation
import Synchronization

extension FaultProxy {
    /// A value behind a lock on which many threads wait.
    ///
    /// The thread sanitizer sees the lock, and takes waiting for a `Mutex` alone for a race.
    final class Guarded<Value: Sendable>: Sendable {
        private let lock = NSLock()
        private let value: Mutex<Value>

        init(_ value: Value) { self.value = Mutex(value) }

        func withLock<Result: Sendable>(_ body: (inout Value) throws -> Result) rethrows -> Result {
            lock.lock()
            defer { lock.unlock() }
            return try value.withLock { value in try body(&value) }
        }
    }
}
