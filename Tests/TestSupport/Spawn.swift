import Foundation
import Synchronization

extension RunningCommand {
    /// Our ends of a process's standard streams.
    struct Pipes: Sendable {
        let input: Int32
        let output: Int32
        let errors: Int32
    }

    /// Between the making of pipes and the end of the spawn no other process may be started: it would inherit them, and
    /// a reader would wait for a stranger.
    private static let spawning = Mutex(())

    static func spawn(_ command: Command) throws -> (pid: pid_t, pipes: Pipes) {
        var executable = try command.executablePath()
        var arguments = [command.tool] + command.arguments
        if let directory = command.directory {
            // posix_spawn's own way to change the directory is an extension that Swift's Glibc module hides.
            arguments = ["env", "-C", directory, executable] + command.arguments
            executable = try Command("env").executablePath()
        }
        let environment = ProcessInfo.processInfo.environment.merging(command.environment) { $1 }
        ignoreBrokenPipes()
        return try spawning.withLock { _ in
            let (input, output, errors) = (try Pipe(), try Pipe(), try Pipe())
            defer { for end in [input.reading, output.writing, errors.writing] { close(end) } }
            let ours = [input.writing, output.reading, errors.reading]
            do {
                let pid = try spawn(
                    executable,
                    arguments,
                    environment.map { "\($0)=\($1)" },
                    streams: [input.reading, output.writing, errors.writing]
                )
                return (pid, Pipes(input: ours[0], output: ours[1], errors: ours[2]))
            } catch {
                for end in ours { close(end) }
                throw error
            }
        }
    }

    private struct Pipe {
        let reading: Int32
        let writing: Int32

        init() throws {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw SystemError("making a pipe") }
            (reading, writing) = (ends[0], ends[1])
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        }
    }

    private static func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String],
        streams: [Int32]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, stream) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, stream, Int32(number))
        }
        // A socket of a test that lives on in a child would keep its peer waiting, and a file its space. Other threads open
        // more until the child is there, so some room above the highest is closed as well; what is not open does no harm.
        let highest = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
            .max()
        for number in 3...((highest ?? 3) + 256) { posix_spawn_file_actions_addclose(&actions, number) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // What the test runner ignores or blocks is no business of the tool's.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var pid: pid_t = 0
        let code = withStrings(arguments) { arguments in
            withStrings(environment) { environment in
                posix_spawn(&pid, executable, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw SystemError("starting \(executable)", code: code) }
        return pid
    }

    private static func withStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
    ) rethrows -> Result {
        let pointers = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return try body(pointers)
    }
}

/// A peer that does not read to the end must not end the tests.
func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
