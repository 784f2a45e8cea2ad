import Foundation

/// A tool that a test runs: by its name on `PATH`, or by a path.
package struct Command: Sendable {
    /// The tool's name, or a path with a slash in it.
    package var tool: String
    /// What it is given.
    package var arguments: [String]
    /// What is added to the environment of the tests, or replaced in it.
    package var environment: [String: String]
    /// What it reads on stdin.
    package var input: [UInt8]
    /// Where it runs; nil is where the tests run.
    package var directory: String?

    /// Describes a run; nothing is started.
    package init(
        _ tool: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: [UInt8] = [],
        directory: String? = nil
    ) {
        self.tool = tool
        self.arguments = arguments
        self.environment = environment
        self.input = input
        self.directory = directory
    }

    /// Runs the tool to its end, whatever its exit code, without blocking a thread of the cooperative pool.
    ///
    /// - Throws: ``MissingToolError`` or ``SystemError`` when it cannot be started.
    package func run() async throws -> Outcome {
        let running = try start()
        let outcome = await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: running.collect()) }
        }
        // Here and not on that thread: a failure is to be this test's.
        TestSecrets.check(self, outcome)
        return outcome
    }

    /// Runs the tool to its end and blocks the calling thread.
    package func runBlocking() throws -> Outcome { try start().wait() }

    /// Runs the tool to its end and blocks; anything but exit code 0 is an error.
    ///
    /// - Throws: ``CommandFailure`` with what it wrote to stderr.
    @discardableResult
    package func check() throws -> Outcome {
        let outcome = try runBlocking()
        guard outcome.status == 0 else { throw CommandFailure(command: self, outcome: outcome) }
        return outcome
    }

    /// Starts the tool.
    package func start() throws -> RunningCommand { try RunningCommand.start(self) }

    /// The path of a product of this package, beside the test bundle that is running: `binary(named: "drayage")`.
    package static func binary(named name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else { throw MissingToolError(tool: path) }
        return path
    }

    /// Where the tool is.
    ///
    /// - Throws: ``MissingToolError``: a machine without a tool fails the tests, it does not skip them.
    package func executablePath() throws -> String {
        if tool.contains("/") { return tool }
        let search = ProcessInfo.processInfo.environment["PATH"] ?? ""
        // Debian keeps some of them where an ordinary user's PATH does not lead.
        let directories = search.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
        let candidates = directories.map { $0 + "/" + tool }
        guard let path = candidates.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw MissingToolError(tool: tool)
        }
        return path
    }
}

/// How a tool ended.
package struct Outcome: Sendable {
    /// The exit code; 128 and the signal's number where a signal ended it, as in a shell.
    package let status: Int32
    /// What it wrote to stdout.
    package let output: [UInt8]
    /// What it wrote to stderr.
    package let errors: [UInt8]
    /// The most memory that was resident, in bytes; never less than what the tests themselves had when they started it.
    ///
    /// Linux counts what a process was before it became the tool. To measure a small tool, run it under `time`.
    package let peakResidentByteCount: Int64
    /// The processor time that it and the children it waited for took.
    package let processorTime: Duration

    /// stdout as text.
    package var outputText: String { String(decoding: output, as: UTF8.self) }
    /// stderr as text.
    package var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// A tool that the tests need is not installed.
package struct MissingToolError: Error, CustomStringConvertible {
    /// The tool.
    package let tool: String

    private static let packages = [
        "bsdtar": "libarchive-tools", "ctr": "containerd", "dpkg-deb": "dpkg", "apt-get": "apt",
        "htpasswd": "apache2-utils", "setpriv": "util-linux", "nm": "binutils", "nginx": "nginx-light",
    ]

    /// Says what to install.
    package var description: String {
        if tool.contains("/") { return "\(tool) is not there; build it with swift build" }
        return "\(tool) is not installed; apt-get install \(Self.packages[tool] ?? tool)"
    }
}

/// A tool that had to succeed did not.
package struct CommandFailure: Error, CustomStringConvertible {
    /// What was run.
    package let command: Command
    /// How it ended.
    package let outcome: Outcome

    /// The command line, the exit code and stderr.
    package var description: String {
        let line = ([command.tool] + command.arguments).joined(separator: " ")
        return "\(line): exit code \(outcome.status): \(outcome.errorText)"
    }
}
