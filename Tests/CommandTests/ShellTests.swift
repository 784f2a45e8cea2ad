import Foundation
import TestSupport
import Testing

/// The command among other commands: pipes, signals, full disks.
@Suite(.timeLimit(.minutes(10))) struct ShellTests {
    private let terminal: Terminal
    private let source: Source
    private let name: String

    init() throws {
        (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 400)
        name = try source.add(builder.image(), "app")
    }

    /// Runs a script in which `drayage` is the command.
    private func shell(_ script: String) async throws -> Outcome {
        let binary = try Command.binary(named: "drayage")
        return try await Command(
            "bash",
            ["-c", "drayage() { \"\(binary)\" \"$@\"; }; \(script)"],
            environment: ["HOME": terminal.scratch.path],
            directory: terminal.scratch.path
        ).run()
    }

    @Test func `a list may come through a pipe with a name`() async throws {
        let outcome = try await shell("drayage bundle -q -f <(echo \(name)) -o bundle.tar")
        expect(outcome, status: 0, errors: "")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `a list that cannot be read is named with the reason`() async throws {
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("list"),
            withIntermediateDirectories: true
        )
        expect(
            try await terminal.drayage("bundle", "-f", "list", "-o", "bundle.tar"),
            status: 1,
            errors: "error: reading the list list: it is a directory without any file of YAML or JSON\n"
        )
        expect(
            try await terminal.drayage("bundle", "-f", "nowhere", "-o", "bundle.tar"),
            status: 1,
            errors: "error: reading the list nowhere: no such file or directory\n"
        )
    }

    @Test(arguments: ["", " --json"])
    func `a document that is cut off by a full disk is no success`(format: String) async throws {
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        let outcome = try await shell("drayage list\(format) bundle.tar >/dev/full")
        expect(outcome, status: 1, errors: "error: writing to stdout: no space left on device\n")
    }

    @Test func `a reader that has had enough is no failure`() async throws {
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        let outcome = try await shell(
            "(sleep 0.2; drayage list -q --json bundle.tar; echo $? >status) | true; cat status"
        )
        #expect(outcome.outputText == "0\n")
        #expect(outcome.errorText == "")
    }

    @Test func `a signal that was ignored from the beginning stays ignored`() async throws {
        let released = Flag()
        let waiting = try Source { request in
            while request.path.contains("/blobs/"), !released.isSet { Thread.sleep(forTimeInterval: 0.01) }
            return nil
        }
        var builder = ImageBuilder(seed: 401)
        let name = try waiting.add(builder.image(), "app")
        var command = terminal.command(["drayage"])
        command.tool = "nohup"
        command.arguments = [try Command.binary(named: "drayage"), "bundle", name, "-o", "bundle.tar"]
        let running = try command.start()
        try await until { waiting.registry.count("GET", containing: "/blobs/") > 0 }
        running.signal(SIGHUP)
        // Whoever takes the signal ends at once; whoever does not is given the blobs.
        #expect(!running.waitForErrors(containing: "interrupted", seconds: 1))
        released.set(true)
        let outcome = running.wait()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(try terminal.scratch.names().contains("bundle.tar"))
    }

    @Test func `stdin cannot be a list and a password`() async throws {
        let outcome = try await terminal.drayage(
            "bundle",
            "-f",
            "-",
            "-o",
            "bundle.tar",
            "-u",
            "me",
            "--password-stdin",
            input: TestSecrets.make()
        )
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains("Stdin holds a secret, so it cannot hold a list"))
    }

    @Test(arguments: ["https://registry.site", "registry.site/", "registry.site/prefix", ""])
    func `what is no host is not taken for one`(host: String) async throws {
        let outcome = try await terminal.drayage("list", "registry.site", "--tls", host)
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains("--tls takes a registry's host, with its port: \"\(host)\" is none"))
    }

    @Test func `a control character in a redirect reaches no terminal`() async throws {
        let redirecting = try Source { request in
            request.path.contains("/blobs/") ? .redirect(to: "/elsewhere\u{9b}31m\u{202e}") : nil
        }
        var builder = ImageBuilder(seed: 402)
        let name = try redirecting.add(builder.image(), "app")
        let outcome = try await terminal.drayage("bundle", "-v", name, "-o", "bundle.tar")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("/elsewhere"))
        #expect(!outcome.errorText.unicodeScalars.contains { $0 == "\u{9b}" || $0 == "\u{202e}" })
    }
}
