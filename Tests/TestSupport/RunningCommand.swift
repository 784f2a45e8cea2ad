package import Foundation
import Synchronization

/// A tool that was started.
package final class RunningCommand: Sendable {
    /// The process.
    package let pid: pid_t
    private let command: Command
    private let output = ByteCollector()
    private let errors = ByteCollector()
    private let ended = DispatchGroup()
    private let end = Mutex<End?>(nil)

    private struct End {
        let status: Int32
        let usage: rusage
    }

    /// Starts a tool and gives it its input.
    static func start(_ command: Command) throws -> RunningCommand {
        let (running, descriptor) = try startHoldingInput(command)
        Thread.detachNewThread { writeAll(command.input, to: descriptor) }
        return running
    }

    /// Starts a tool whose stdin stays open until the caller closes it.
    package static func startHoldingInput(_ command: Command) throws -> (RunningCommand, input: Int32) {
        let (process, pipes) = try spawn(command)
        return (RunningCommand(command, process, pipes), pipes.input)
    }

    private init(_ command: Command, _ process: pid_t, _ pipes: Pipes) {
        self.command = command
        pid = process
        let (output, errors) = (output, errors)
        ended.enter()
        Thread.detachNewThread { [ended] in
            output.drain(pipes.output)
            ended.leave()
        }
        ended.enter()
        Thread.detachNewThread { [ended] in
            errors.drain(pipes.errors)
            ended.leave()
        }
        ended.enter()
        // The closure keeps the value: a process is always reaped.
        Thread.detachNewThread {
            self.reap()
            self.ended.leave()
        }
    }

    /// Sends a signal, unless the process has ended.
    package func signal(_ number: Int32) {
        end.withLock { end in
            if end == nil { kill(pid, number) }
        }
    }

    /// Whether the process has ended.
    package var hasEnded: Bool { end.withLock { $0 != nil } }

    /// Blocks until the process has ended and its output is read, which is searched for secrets.
    package func wait() -> Outcome {
        let outcome = collect()
        TestSecrets.check(command, outcome)
        return outcome
    }

    /// The same, and nothing is searched.
    func collect() -> Outcome {
        ended.wait()
        let end = end.withLock { $0 }
        let (code, usage) = (end?.status ?? 0, end?.usage ?? rusage())
        let signal = code & 0x7f
        let microseconds = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + $1.tv_sec * 1_000_000 + $1.tv_usec }
        return Outcome(
            status: signal == 0 ? (code >> 8) & 0xff : 128 + signal,
            output: output.bytes,
            errors: errors.bytes,
            peakResidentByteCount: Int64(usage.ru_maxrss) * 1024,
            processorTime: .microseconds(microseconds)
        )
    }

    /// Blocks until stderr holds the text; false when the process ended, or the time went by, without it.
    package func waitForErrors(containing text: String, seconds: Double = 120) -> Bool {
        errors.wait(for: text, seconds: seconds)
    }

    /// Blocks until stdout holds the text; false when the process ended, or the time went by, without it.
    package func waitForOutput(containing text: String, seconds: Double = 120) -> Bool {
        output.wait(for: text, seconds: seconds)
    }

    private func reap() {
        // Waiting without reaping first: the id stays ours until the lock is held, so no signal can hit a stranger.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        end.withLock { end in
            var status: Int32 = 0
            var usage = rusage()
            wait4(pid, &status, 0, &usage)
            end = End(status: status, usage: usage)
        }
    }
}

/// Bytes that one thread reads from a pipe and others look at.
private final class ByteCollector: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let changed = NSCondition()

    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func drain(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            changed.lock()
            state.withLock { state in
                if count > 0 { state.bytes += buffer[..<count] } else { state.isClosed = true }
            }
            changed.broadcast()
            changed.unlock()
            if count <= 0 { break }
        }
        close(descriptor)
    }

    func wait(for text: String, seconds: Double) -> Bool {
        let deadline = Date(timeIntervalSinceNow: seconds)
        changed.lock()
        defer { changed.unlock() }
        while true {
            let (found, isClosed) = state.withLock { (String(decoding: $0.bytes, as: UTF8.self), $0.isClosed) }
            if found.contains(text) { return true }
            if isClosed || !changed.wait(until: deadline) { return false }
        }
    }
}

private func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        // A tool need not read what it is given.
        if count <= 0 { break }
        rest = rest.dropFirst(count)
    }
    close(descriptor)
}
