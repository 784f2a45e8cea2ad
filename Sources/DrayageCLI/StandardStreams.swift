import CLinux
import Drayage
import Glibc
import OCI

/// What a command reads besides bundles: lists and passwords, from stdin or a file, whole.
enum Input {
    /// The most bytes that are read: far beyond any list.
    private static let limit = 64 << 20
    /// The most bytes of a plan, which names all that goes and all that stays.
    static let planLimit = 1 << 30

    /// All bytes.
    ///
    /// - Throws: ``ReadError``.
    static func read() throws -> [UInt8] { try read(STDIN_FILENO, limit: limit) }

    /// All bytes of a file, which may be a pipe.
    ///
    /// - Throws: ``ReadError``.
    static func read(file path: String, limit: Int = limit) throws -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadError(errno: errno) }
        defer { close(descriptor) }
        return try read(descriptor, limit: limit)
    }

    /// Input that cannot be read.
    struct ReadError: Error, CustomStringConvertible {
        /// The system's reason, nil where it is too large.
        var errno: Int32?
        /// The most bytes that are read.
        var limit = Input.limit

        var description: String {
            guard let errno else { return "it is larger than \(ByteText.size(Int64(limit)))" }
            return unsafe String(cString: strerror(errno)).lowercased()
        }
    }

    private static func read(_ descriptor: Int32, limit: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while result.count <= limit {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ReadError(errno: errno) }
            guard count > 0 else { return result }
            result += buffer[..<count]
        }
        throw ReadError(limit: limit)
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
    /// - Returns: false where it cannot be written. A reader that went away has had what it wanted.
    @discardableResult
    func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress.map { unsafe $0 + done }, bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return errno == EPIPE }
            done += count
        }
        return true
    }
}
