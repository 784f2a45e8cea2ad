import Glibc
import Synchronization

/// The time as HTTP writes it.
///
/// Spec: RFC 9110 "Date".
enum HTTPDate {
    private static let last = Mutex<(second: time_t, text: String)>((-1, ""))

    /// The current time, in whole seconds.
    static var now: String {
        let second = time(nil)
        return last.withLock { last in
            if last.second != second { last = (second, text(second)) }
            return last.text
        }
    }

    private static func text(_ second: time_t) -> String {
        var second = second
        var parts = unsafe tm()
        unsafe gmtime_r(&second, &parts)
        var text = [CChar](repeating: 0, count: 64)
        // No locale is ever set, so the names are English.
        let count = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
