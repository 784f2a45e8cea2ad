import Dispatch
import Synchronization

/// A value that is made on another thread while its owner does something else.
///
/// Where that thread has not come to it when the value is needed, whoever needs it makes it: nobody waits for a thread that
/// there may not be.
package final class Eager<Value: Sendable>: Sendable {
    private let made = Mutex<Value?>(nil)
    private let make: @Sendable () -> Value

    /// Begins to make it.
    package init(_ make: @escaping @Sendable () -> Value) {
        self.make = make
        DispatchQueue.global().async { _ = self.value }
    }

    /// The value, once it is there.
    package var value: Value {
        made.withLock { made in
            let value = made ?? make()
            made = value
            return value
        }
    }
}
