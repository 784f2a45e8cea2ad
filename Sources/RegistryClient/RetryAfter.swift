/// The `Retry-After` header.
///
/// Spec: RFC 9110 "Retry-After", "Date/Time Formats".
enum RetryAfter {
    /// The most that is read: a year stands for everything beyond, and no sum overflows.
    private static let secondLimit: Int64 = 366 * 86_400

    /// Reads how long an answer asks to wait.
    ///
    /// - Parameters:
    ///   - header: the header's value.
    ///   - date: the answer's own `Date`, from which a date is taken: the clock of this machine may be wrong.
    ///   - now: the seconds since 1970 by that clock, for an answer without one.
    /// - Returns: nil where that cannot be read.
    static func wait(_ header: String, date: String?, now: () -> Int64) -> Duration? {
        let text = header.trimmed
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return .seconds(min(Int64(text) ?? secondLimit, secondLimit))
        }
        guard let end = secondsSince1970(text) else { return nil }
        let start = date.flatMap { secondsSince1970($0.trimmed) } ?? now()
        return .seconds(min(max(end - start, 0), secondLimit))
    }

    /// Reads a date in any of the three forms of HTTP; nil where it is none.
    private static func secondsSince1970(_ text: String) -> Int64? {
        let words = text.split { " ,-:".contains($0) }.map(String.init)
        // The third form, of the C library, has the year at the end.
        let order = words.count == 7 ? [2, 1, 6, 3, 4, 5] : [1, 2, 3, 4, 5, 6]
        guard words.count == 7 || words.count == 8, let month = months.firstIndex(of: words[order[1]]) else {
            return nil
        }
        let numbers = order.compactMap { Int64(words[$0]) }
        guard numbers.count == 5 else { return nil }
        let (day, hour, minute, second) = (numbers[0], numbers[2], numbers[3], numbers[4])
        // Spec: two digits of a year are of this century where that is not too far ahead.
        let year = numbers[1] < 70 ? numbers[1] + 2000 : numbers[1] < 100 ? numbers[1] + 1900 : numbers[1]
        guard (1970...9999).contains(year), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return ((days(year, Int64(month) + 1, day) * 24 + hour) * 60 + minute) * 60 + second
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The days from 1 January 1970 to a date; years begin in March, so that the leap day is the last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }
}

extension String {
    fileprivate var trimmed: String { split(separator: " ").joined(separator: " ") }
}
