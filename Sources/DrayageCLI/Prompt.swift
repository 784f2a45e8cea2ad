import Drayage
import Glibc

/// A question on the terminal.
enum Prompt {
    /// Whether there is a person to ask.
    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 && OutputStream.standardError.isTerminal }

    /// Asks, and waits for a line; anything but yes is no.
    ///
    /// - Throws: `CancellationError` when the run is interrupted meanwhile.
    static func confirm(_ question: String) async throws -> Bool {
        OutputStream.standardError.write(question.printable)
        var line: [UInt8] = []
        while !line.contains(UInt8(ascii: "\n")), line.count < 1024 {
            // Without waiting in the read: an interruption must end the question.
            try await Task.sleep(for: .milliseconds(50))
            var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&request, 1, 0) > 0 else { continue }
            var byte: UInt8 = 0
            guard unsafe read(STDIN_FILENO, &byte, 1) == 1 else { break }
            line.append(byte)
        }
        let answer = String(decoding: line, as: UTF8.self).filter { !$0.isWhitespace }.lowercased()
        return ["y", "yes"].contains(answer)
    }
}
