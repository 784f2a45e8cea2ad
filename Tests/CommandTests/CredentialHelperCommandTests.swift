import Foundation
import TestSupport
import Testing

/// Helpers that keep credentials, by whichever file they are named.
@Suite(.timeLimit(.minutes(10))) struct CredentialHelperCommandTests: LoginSuite {
    let site: LoginSite

    init() throws { site = try LoginSite() }

    /// Adds a helper that keeps one password.
    private func addHelper() throws {
        let script = #"""
            #!/bin/sh
            case $1 in
            store) cat >"$DOCKER_CONFIG/kept" ;;
            get) if [ -e "$DOCKER_CONFIG/kept" ]; then cat "$DOCKER_CONFIG/kept"; else
                echo credentials not found in native keychain; exit 1; fi ;;
            erase) rm "$DOCKER_CONFIG/kept" ;;
            esac
            """#
        let path = try terminal.scratch.write(script, to: "docker-credential-test")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    @Test func `a helper that the file names keeps the password`() async throws {
        try addHelper()
        try terminal.scratch.write(
            #"{"auths":{"\#(registry.address)":{"auth":"YTpi"}},"credsStore":"test"}"#,
            to: "docker/config.json"
        )
        let outcome = try await login()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(outcome.errorText.contains("which is kept in docker-credential-test"))
        #expect(try config()["auths"] as? [String: [String: String]] == [:])
        #expect(try await run("list", registry.address).status == 0)
        let removed = try await run("logout", registry.address)
        #expect(removed.errorText.contains("from docker-credential-test"))
        #expect(!terminal.scratch.contains("docker/kept"))
        #expect(try await run("list", registry.address).status == 4)
    }

    @Test func `a helper keeps nothing for a path, and then nothing is kept in a file either`() async throws {
        let before = #"{"credsStore":"test"}"#
        let path = try terminal.scratch.write("#!/bin/sh\ntouch \"$DOCKER_CONFIG/ran\"", to: "docker-credential-test")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        let file = try terminal.scratch.write(before, to: "docker/config.json")
        var command = terminal.command(
            ["login", "\(registry.address)/team", "-u", "me", "--password-stdin"],
            input: password
        )
        command.environment.merge(environment) { $1 }
        expect(
            try await command.run(),
            status: 1,
            errors: """
                error: storing credentials in \(file): docker-credential-test keeps those of \(registry.address), but \
                none for a path; --authfile names another file

                """
        )
        #expect(String(decoding: try terminal.scratch.read("docker/config.json"), as: UTF8.self) == before)
        #expect(!terminal.scratch.contains("docker/ran"))
        // Before the password has travelled.
        #expect(registry.requests.isEmpty)
    }

    @Test func `helpers that registries conf names are asked, before the files or after them`() async throws {
        let script =
            "#!/bin/sh\ncat >>\"$DOCKER_CONFIG/asked\"\necho \"{\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"\(password)\\\"}\""
        let path = try terminal.scratch.write(script, to: "docker-credential-test")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        try terminal.scratch.write(
            #"{"auths":{"\#(registry.address)":{"auth":"YTpi"}}}"#,
            to: "docker/config.json"
        )
        for (list, status) in [
            ("'test', 'containers-auth.json'", 0), ("'containers-auth.json', 'test'", 4), ("'test'", 0),
        ] {
            let conf = try terminal.scratch.write("credential-helpers = [\(list)]", to: "registries.conf")
            var command = terminal.command(["list", registry.address])
            command.environment.merge(environment) { $1 }
            command.environment["CONTAINERS_REGISTRIES_CONF"] = conf
            let outcome = try await command.run()
            #expect(Int(outcome.status) == status, "\(list): \(outcome.errorText)")
        }
        #expect(
            String(decoding: try terminal.scratch.read("docker/asked"), as: UTF8.self) == registry.address
                + registry.address
        )
    }

    @Test func `a helper that goes before the files keeps what is stored`() async throws {
        try addHelper()
        try terminal.scratch.write("{}", to: "docker/config.json")
        let conf = try terminal.scratch.write("credential-helpers = ['test']", to: "registries.conf")
        func run(_ arguments: String..., input: String = "") async throws -> Outcome {
            var command = terminal.command(arguments, input: input)
            command.environment.merge(environment) { $1 }
            command.environment["CONTAINERS_REGISTRIES_CONF"] = conf
            return try await command.run()
        }
        let outcome = try await run("login", registry.address, "-u", "me", "--password-stdin", input: password)
        #expect(outcome.errorText.contains("which is kept in docker-credential-test"), "\(outcome.errorText)")
        #expect(String(decoding: try terminal.scratch.read("docker/config.json"), as: UTF8.self) == "{}")
        #expect(try await run("list", registry.address).status == 0)
        #expect(try await run("logout", registry.address).status == 0)
        #expect(!terminal.scratch.contains("docker/kept"))
    }

    @Test func `containers' files that cannot be used are no obstacle where they are of no other use`() async throws {
        let conf = try terminal.scratch.write("[registries.search]\nregistries = []", to: "registries.conf")
        var command = terminal.command(["list", registry.address])
        command.environment.merge(environment) { $1 }
        command.environment["CONTAINERS_REGISTRIES_CONF"] = conf
        #expect(try await login().status == 0)
        let outcome = try await command.run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(outcome.errorText.contains("; the credential helpers that it may name are not asked"))
    }

    @Test func `a helper that fails is a warning, and what is broken elsewhere is no obstacle to a login`() async throws
    {
        try terminal.scratch.write(#"{"credHelpers":{"\#(registry.address)":"absent"}}"#, to: "docker/config.json")
        let listed = try await run("list", registry.address)
        #expect(listed.status == 4)
        #expect(
            listed.errorText.hasPrefix(
                "warning: asking docker-credential-absent: there is no such program on the PATH; "
            ),
            "\(listed.errorText)"
        )
        #expect(try await run("list", registry.address, "-q").errorText.contains("warning") == false)
        try terminal.scratch.write("junk", to: "home/.dockercfg")
        let file = terminal.scratch.path("own.json")
        #expect(try await login("--authfile", file).status == 0)
        #expect(try await run("list", registry.address, "--authfile", file).status == 0)
    }
}
