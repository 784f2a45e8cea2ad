import Foundation
import TestSupport
import Testing

extension Testing.Tag {
    /// Runs programs of others on what we write.
    @Tag static var interop: Self
}

/// A directory, and `drayage` run in it as a user runs it.
struct Terminal: Sendable {
    let scratch: ScratchDirectory
    private let binary: String

    init() throws {
        scratch = try ScratchDirectory()
        binary = try Command.binary(named: "drayage")
        TestSecrets.onLeak { Issue.record("\($0)") }
    }

    /// What the environment may say besides, of files, certificates and proxies; what is empty says nothing.
    private static let unset =
        ["REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "REQUEST_METHOD"]
        + ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap { [$0, $0.lowercased()] }

    /// A run that is not started yet.
    ///
    /// Whoever runs the tests may have credentials of their own, which it does not see.
    ///
    /// What fails in a test fails for good, unless the test says how often it is to be tried again.
    func command(_ arguments: [String], input: String = "", environment: [String: String] = [:]) -> Command {
        let clients = ["bundle", "push", "copy", "list", "verify", "prune"]
        let retries = arguments.first.map(clients.contains) ?? false && !arguments.contains("--retries")
        let arguments = arguments + (retries ? ["--retries", "0"] : [])
        let home = [
            "HOME": scratch.path("home"), "DOCKER_CONFIG": scratch.path("no-docker"),
            "XDG_RUNTIME_DIR": scratch.path("no-session"),
            // Nor mirrors of its own.
            "CONTAINERS_REGISTRIES_CONF": "/dev/null",
        ].merging(Self.unset.map { ($0, "") }) { $1 }
        return Command(
            binary,
            arguments,
            environment: home.merging(environment) { $1 },
            input: Array(input.utf8),
            directory: scratch.path
        )
    }

    /// Runs `drayage` to its end.
    func drayage(
        _ arguments: String...,
        input: String = "",
        environment: [String: String] = [:]
    ) async throws -> Outcome {
        try await command(arguments, input: input, environment: environment).run()
    }

    /// Runs `drayage` to its end; anything but exit code 0 fails the test.
    @discardableResult
    func succeed(_ arguments: String..., location: SourceLocation = #_sourceLocation) async throws -> Outcome {
        let outcome = try await command(arguments).run()
        #expect(outcome.status == 0, "\(outcome.errorText)", sourceLocation: location)
        return outcome
    }

    /// Starts `drayage` and kills it a little after something has happened.
    ///
    /// - Returns: whether it was under way.
    func kill(_ arguments: [String], after microseconds: UInt32, once hasHappened: () -> Bool) throws -> Bool {
        let running = try command(arguments).start()
        while !hasHappened(), !running.hasEnded { usleep(20) }
        usleep(microseconds)
        running.signal(SIGKILL)
        return running.wait().status == 128 + SIGKILL
    }
}

/// Waits for what another process or thread does; two minutes are far more than any of it takes.
func until(_ condition: () throws -> Bool, location: SourceLocation = #_sourceLocation) async throws {
    for _ in 0..<24_000 {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("it did not happen", sourceLocation: location)
}

extension Outcome {
    /// What it wrote to stderr, without how far it was: a slow run says that now and then.
    var messages: String {
        errorText.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.contains(#/^[0-9]+% /#) }
            .joined(separator: "\n")
    }
}

/// Expects how a run ended and all that it wrote, but for how far it was.
func expect(
    _ outcome: Outcome,
    status: Int32,
    output: String = "",
    errors: String,
    _ location: SourceLocation = #_sourceLocation
) {
    #expect(outcome.status == status, sourceLocation: location)
    #expect(outcome.outputText == output, sourceLocation: location)
    #expect(outcome.messages == errors, sourceLocation: location)
}
