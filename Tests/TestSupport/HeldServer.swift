import Foundation
import Synchronization

/// A server of others that runs for one test, on an address of this machine that nobody else has.
///
/// It ends with the value, and with the tests: it lives only as long as a pipe that the tests hold open.
final class HeldServer: Sendable {
    private let shell: RunningCommand
    private let keepsOpen: Mutex<Int32?>

    /// Starts a server that stays in the foreground, and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - tool: the program.
    ///   - arguments: what it is given.
    ///   - address: what it listens at.
    ///   - log: the path of a file that gets what it prints.
    /// - Throws: ``MissingToolError`` without the program, ``HeldServerError`` with its log when it does not start.
    init(_ tool: String, _ arguments: [String], at address: String, log: String) throws {
        let script = """
            exec 3<&0
            log=$0
            "$@" </dev/null >"$log" 2>&1 &
            server=$!
            (cat <&3 >/dev/null; kill $server 2>/dev/null) >/dev/null 2>&1 &
            exec 3<&-
            wait $server
            """
        let program = try Command(tool).executablePath()
        let command = Command("sh", ["-c", script, log, program] + arguments)
        let (running, input) = try RunningCommand.startHoldingInput(command)
        shell = running
        keepsOpen = Mutex(input)
        for _ in 0..<6000 {
            if let descriptor = try? LoopbackSocket.connect(to: address) {
                close(descriptor)
                return
            }
            if running.hasEnded { break }
            usleep(10_000)
        }
        stop()
        throw HeldServerError(
            tool: tool,
            log: String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
        )
    }

    deinit { stop() }

    /// Ends the server and waits until it has gone.
    func stop() {
        let input = keepsOpen.withLock { input in
            defer { input = nil }
            return input
        }
        guard let input else { return }
        close(input)
        _ = shell.wait()
    }

    /// An address of loopback with a port, which no other server of the tests has, nor any connection of theirs.
    static func freeAddress() -> String {
        let numbers = (0..<3).map { _ in UInt8.random(in: 2...250) }
        return "127.\(numbers[0]).\(numbers[1]).\(numbers[2]):\(UInt16.random(in: 20_000...30_000))"
    }
}

/// A server did not start.
package struct HeldServerError: Error, CustomStringConvertible {
    let tool: String
    let log: String

    /// The log.
    package var description: String { "\(tool) did not start: \(log)" }
}
