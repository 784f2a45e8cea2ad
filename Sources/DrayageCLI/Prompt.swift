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
        let answer = try await line(question).filter { !$0.isWhitespace }.lowercased()
        return ["y", "yes"].contains(answer)
    }

    /// Asks, and waits for a line.
    ///
    /// - Parameters:
    ///   - question: the question, with what stands before the answer.
    ///   - isHidden: whether nobody is to see what is typed.
    /// - Returns: the line, without its end.
    /// - Throws: `CancellationError` when the run is interrupted meanwhile.
    static func line(_ question: String, isHidden: Bool = false) async throws -> String {
        var shown = termios()
        let isTerminal = unsafe tcgetattr(STDIN_FILENO, &shown) == 0
        // Before it is asked, so that nothing that is typed then is seen.
        if isHidden, isTerminal {
            var hidden = shown
            hidden.c_lflag &= ~tcflag_t(ECHO)
            _ = unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        }
        defer {
            if isHidden, isTerminal {
                _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &shown)
                OutputStream.standardError.write("\n")
            }
        }
        OutputStream.standardError.write(question.printable)
        var line: [UInt8] = []
        while line.last != UInt8(ascii: "\n"), line.count < 4096 {
            // Without waiting in the read: an interruption must end the question.
            try await Task.sleep(for: .milliseconds(50))
            var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            while unsafe poll(&request, 1, 0) > 0, line.last != UInt8(ascii: "\n") {
                var byte: UInt8 = 0
                guard unsafe read(STDIN_FILENO, &byte, 1) == 1 else { return String(decoding: line, as: UTF8.self) }
                line.append(byte)
            }
        }
        return String(decoding: line.dropLast(), as: UTF8.self)
    }
}
