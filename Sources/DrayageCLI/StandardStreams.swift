import CLinux
import Glibc

/// Standard input, read whole, once.
enum StandardInput {
    /// The most bytes that are read: far beyond any list.
    private static let limit = 64 << 20

    /// All bytes, nil where they cannot be read or are too many.
    static func read() -> [UInt8]? {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while result.count <= limit {
            let count = unsafe Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { return result }
            result += buffer[..<count]
        }
        return nil
    }
}

/// A stream for text, without a buffer.
struct OutputStream: Sendable {
    static let standardOutput = OutputStream(descriptor: STDOUT_FILENO)
    static let standardError = OutputStream(descriptor: STDERR_FILENO)

    let descriptor: Int32

    /// Whether a person looks at it.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// The width of the terminal behind it, nil where it is none.
    var columns: Int? {
        let columns = Int(linux_terminal_columns(descriptor))
        return columns > 0 ? columns : nil
    }

    /// Writes text.
    ///
    /// - Returns: whether all of it was written; a reader that went away is not worth a message.
    @discardableResult
    func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress.map { unsafe $0 + done }, bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
