import Foundation
import OCI
import TestSupport
import Testing

/// A `drayage serve` that listens, and is gone with the value.
final class ServeProcess: Sendable {
    /// What it says that it listens at.
    let address: String
    private let running: RunningCommand
    private let terminal: Terminal
    private let name: String

    /// Starts it, at a free port unless another is given, and waits until it has said its address.
    ///
    /// - Parameters:
    ///   - terminal: where it runs; its output goes to files beside that directory.
    ///   - arguments: what follows `serve`.
    ///   - wrapper: a tool that becomes it.
    /// - Throws: ``ServeProcessError`` with what it wrote, when it ended instead.
    init(_ terminal: Terminal, _ arguments: [String], wrapper: [String] = []) throws {
        let listen = arguments.contains("--listen") ? [] : ["--listen", "127.0.0.1:0"]
        let command = terminal.command(["serve"] + arguments + listen)
        self.terminal = terminal
        name = terminal.scratch.path + ".\(UInt32.random(in: 0 ... .max))"
        // Into files, as a supervisor would have it: they can be read while it runs.
        let script = #"name=$0; exec "$@" >"$name.out" 2>"$name.err""#
        running = try Command(
            "sh",
            ["-c", script, name] + wrapper + [command.tool] + command.arguments,
            environment: command.environment,
            directory: command.directory
        ).start()
        var address: String?
        while address == nil {
            let output = Self.text(name + ".out")
            if output.hasSuffix("\n") {
                address = String(output.dropLast())
            } else if running.hasEnded {
                throw ServeProcessError(errors: Self.text(name + ".err"))
            }
            usleep(5000)
        }
        self.address = address ?? ""
    }

    deinit {
        running.signal(SIGKILL)
        _ = running.wait()
        for end in [".out", ".err"] { unlink(name + end) }
    }

    // MARK: - What it says

    /// What it has written to stdout.
    var output: String { Self.text(name + ".out") }

    /// What it has written to stderr.
    var log: String { Self.text(name + ".err") }

    /// The lines of its access log.
    var requests: [String] { log.split(separator: "\n").map(String.init).filter { $0.contains(" event=request ") } }

    private static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    // MARK: - How it ends

    /// Sends it a signal.
    func signal(_ number: Int32) { running.signal(number) }

    /// Whether it has ended.
    var hasEnded: Bool { running.hasEnded }

    /// Waits for its end, and gives its exit code.
    func wait() -> Int32 { running.wait().status }

    /// Sends it a signal, waits for its end, and gives its exit code.
    func end(_ number: Int32 = SIGTERM) -> Int32 {
        signal(number)
        return wait()
    }

    // MARK: - What the system says of it

    /// The most memory that it ever had.
    func peakByteCount() throws -> Int64 { try number(of: "VmHWM:", in: "status") * 1024 }

    /// How many bytes it has had written to disks.
    func writtenByteCount() throws -> Int64 { try number(of: "write_bytes:", in: "io") }

    /// How many files it has open.
    func openFileCount() throws -> Int { try openFiles().count }

    /// How many files of uploads it has open, which it keeps for those who go on with them.
    func openUploadCount() throws -> Int { try openFiles().count { $0.contains("/_uploads/") } }

    private func openFiles() throws -> [String] {
        let folder = "/proc/\(running.pid)/fd"
        return try FileManager.default.contentsOfDirectory(atPath: folder).map { name in
            // One may be closed by now.
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")) ?? ""
        }
    }

    private func number(of field: String, in file: String) throws -> Int64 {
        let lines = Self.text("/proc/\(running.pid)/\(file)").split(separator: "\n")
        let value = lines.first { $0.hasPrefix(field) }.flatMap { Int64($0.filter(\.isNumber)) }
        return try #require(value, "\(field) in \(file)")
    }

    // MARK: - Requests

    /// Asks it once, over a connection of its own.
    func ask(
        _ method: String,
        _ target: String,
        headers: [String: String] = [:],
        body: [UInt8] = []
    ) throws -> ServeClient.Answer {
        try ServeClient(address).ask(method, target, headers: headers, body: body[...])
    }

    /// Gives it a blob in one request.
    func put(_ bytes: [UInt8], repository: String, headers: [String: String] = [:]) throws -> ServeClient.Answer {
        let target = "/v2/\(repository)/blobs/uploads/?digest=\(try Digest.of(bytes))"
        return try ask("POST", target, headers: headers, body: bytes)
    }
}

/// It did not start.
struct ServeProcessError: Error, CustomStringConvertible {
    let errors: String
    var description: String { "drayage serve ended: \(errors)" }
}

extension ScratchDirectory {
    /// Every file and directory with its size and the time of its last change, to see that nothing is written.
    func snapshot(of name: String = "") throws -> [String] {
        let root = path(name)
        let all = try FileManager.default.subpathsOfDirectory(atPath: root)
        return try (all + [""]).sorted().map { entry in
            var status = stat()
            guard stat("\(root)/\(entry)", &status) == 0 else { throw SystemError("looking at \(entry)") }
            return "\(entry) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        }
    }
}
