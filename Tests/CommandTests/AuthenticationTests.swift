import Foundation
import TestSupport
import Testing

/// Registries that ask who is there.
///
/// The password is in no argument, no output and no file.
@Suite struct AuthenticationTests {
    private static let password = TestSecrets.user("me", ending: "-§:very-secret").password
    private let terminal: Terminal
    private let registry: DockerRegistry
    private let name: String

    init() throws {
        terminal = try Terminal()
        registry = try DockerRegistry(options: .init(user: ("me", Self.password)))
        var builder = ImageBuilder(seed: 260)
        try registry.storage.add(try builder.image(), repository: "app", tag: "1")
        name = "\(registry.address)/app:1"
    }

    private func expectNoSecret(_ outcome: Outcome, _ location: SourceLocation = #_sourceLocation) {
        let encoded = Data("me:\(Self.password)".utf8).base64EncodedString()
        for secret in [Self.password, "very-secret", encoded] {
            #expect(!outcome.outputText.contains(secret), sourceLocation: location)
            #expect(!outcome.errorText.contains(secret), sourceLocation: location)
        }
    }

    @Test func `no password and a wrong one end with 4 and name the registry`() async throws {
        let user = ["-u", "me", "--password-stdin"]
        let answer = "GET http://\(registry.address)/v2/app/manifests/1 answered 401: "
        let runs = [
            (
                [], "",
                """
                not authorised (it asks for a user name and a password, and there are no credentials for \
                \(registry.address), which "drayage login \(registry.address)" would store)
                """
            ),
            (
                user, "very-secret\n",
                answer
                    + "not authorised (UNAUTHORIZED: authentication required; it refuses the credentials from the command line)"
            ),
        ]
        for (extra, input, cause) in runs {
            let outcome = try await terminal.command(["bundle", name, "-o", "bundle.tar"] + extra, input: input).run()
            expect(
                outcome,
                status: 4,
                errors: "error: fetching the manifest of \(name): \(cause)\nbundle failed: 1 failure\n"
            )
            expectNoSecret(outcome)
            #expect(try terminal.scratch.names() == [])
        }
    }

    @Test func `the password is read from stdin, without its line end`() async throws {
        for end in ["", "\n", "\r\n"] {
            let arguments = [
                "bundle", name, "-o", "bundle.tar", "-v", "--force", "--username", "me", "--password-stdin",
            ]
            let outcome = try await terminal.command(arguments, input: Self.password + end).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
            expectNoSecret(outcome)
        }
        let bytes = String(decoding: try terminal.scratch.read("bundle.tar"), as: UTF8.self)
        #expect(!bytes.contains("very-secret"))
    }

    @Test func `one user is for one registry`() async throws {
        let other = try Source()
        let outcome = try await terminal.drayage(
            "bundle",
            name,
            "\(other.address)/app:1",
            "-o",
            "bundle.tar",
            "--json",
            "-u",
            "me",
            "--password-stdin",
            input: Self.password
        )
        let hosts = [registry.address, other.address].sorted().joined(separator: ", ")
        let message = "--username is for one registry, and the images are from \(hosts); --creds is for several"
        #expect(outcome.status == 64)
        #expect(outcome.errorText == "error: \(message)\n")
        #expect(try ReportDocument(outcome.output).failures.map(\.message) == [message])
        #expect(registry.requests == [])
        #expect(other.registry.requests.isEmpty)
        expectNoSecret(outcome)
    }

    @Test func `an empty password is refused`() async throws {
        let outcome = try await terminal.drayage("list", registry.address, "-u", "me", "--password-stdin", input: "\n")
        expect(outcome, status: 64, errors: "error: The password on stdin is empty\n")
    }

    @Test func `the credentials of docker's config are used, for their registry alone`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 261)
        let open = try source.add(builder.image(), "app")
        let encoded = Data("me:\(Self.password)".utf8).base64EncodedString()
        try terminal.scratch.write(
            #"{"auths":{"\#(registry.address)":{"auth":"\#(encoded)"}},"credsStore":"none"}"#,
            to: "docker/config.json"
        )
        let environment = ["DOCKER_CONFIG": terminal.scratch.path("docker")]
        let outcome = try await terminal.drayage(
            "bundle",
            name,
            open,
            "-o",
            "bundle.tar",
            "-v",
            environment: environment
        )
        #expect(outcome.status == 0, "\(outcome.errorText)")
        expectNoSecret(outcome)
        #expect(source.registry.requests.allSatisfy { $0.header("Authorization") == nil })

        // The command line goes before the file.
        let wrong = try await terminal.drayage(
            "list",
            registry.address,
            "-u",
            "me",
            "--password-stdin",
            input: "wrong",
            environment: environment
        )
        #expect(wrong.status == 4)
    }

    @Test func `a docker config that is broken is an error`() async throws {
        let path = try terminal.scratch.write("{\"auths\": \(Self.password)", to: "docker/config.json")
        let outcome = try await terminal.drayage(
            "list",
            registry.address,
            environment: ["DOCKER_CONFIG": terminal.scratch.path("docker")]
        )
        expect(
            outcome,
            status: 1,
            errors: "error: reading the credentials in \(path): it is not the JSON that docker and podman write\n"
        )
    }

    @Test func `a push, a listing and a verification log in as well`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 262)
        try await terminal.succeed("bundle", try source.add(builder.image(), "new"), "-o", "bundle.tar")
        let user = ["-u", "me", "--password-stdin"]
        let refused = try await terminal.drayage("push", "bundle.tar", registry.address)
        #expect(refused.status == 4)
        #expect(registry.storage.repositories() == ["app"])
        for arguments in [
            ["push", "bundle.tar", registry.address], ["verify", "bundle.tar", "--at", registry.address],
            ["list", registry.address],
        ] {
            let outcome = try await terminal.command(arguments + user, input: Self.password).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
            expectNoSecret(outcome)
        }
        #expect(registry.storage.repositories() == ["app", "new"])
    }

    @Test func `the password of a running command is not among its arguments`() async throws {
        let stalling = try ScriptedRegistry { _ in Answer().sent(.stalledBeforeHead) }
        let running = try terminal.command(
            ["list", stalling.address, "-u", "me", "--password-stdin", "-v"],
            input: Self.password
        ).start()
        try await until { !stalling.requests.isEmpty }
        for file in ["cmdline", "environ"] {
            let bytes = try Data(contentsOf: URL(filePath: "/proc/\(running.pid)/\(file)"))
            #expect(!String(decoding: bytes, as: UTF8.self).contains("very-secret"))
        }
        running.signal(SIGINT)
        #expect(running.wait().status == 130)
    }
}
