import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct LoginTests: LoginSuite {
    let site: LoginSite

    init() throws { site = try LoginSite() }

    @Test func `what is stored is used by what follows, until it is removed`() async throws {
        let path = terminal.scratch.path("docker/config.json")
        expect(
            try await login(),
            status: 0,
            errors: "logged in to \(registry.address) as me, which is kept in \(path)\n"
        )
        #expect(try config()["auths"] as? [String: [String: String]] == [registry.address: ["auth": encoded]])
        #expect(try await run("list", registry.address).outputText.contains("app"))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try terminal.scratch.names() == ["docker"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: terminal.scratch.path("docker")) == ["config.json"])

        expect(
            try await run("logout", registry.address),
            status: 0,
            errors: "removed the credentials for \(registry.address) from \(path)\n"
        )
        #expect(try config()["auths"] as? [String: [String: String]] == [:])
        #expect(try await run("list", registry.address).status == 4)
        expect(
            try await run("logout", registry.address),
            status: 0,
            errors: "\(path) has no credentials for \(registry.address)\n"
        )
    }

    @Test func `a wrong password is refused by the registry, and not stored`() async throws {
        let outcome = try await login(password: TestSecrets.make("wrong"))
        #expect(outcome.status == 4)
        #expect(
            outcome.errorText.hasPrefix(
                "error: asking \(registry.address): GET http://\(registry.address)/v2/ answered 401: not authorised"
            ),
            "\(outcome.errorText)"
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `what else is in the file stays, and a link stays a link`() async throws {
        let text = #"""
            {"HttpHeaders":{"X":"é"},"auths":{"other.example":{"auth":"YTpi"},"https://HOST/v1/":{"auth":"YTpi"}},
            "big":9007199254740993,"list":[1,2.5,true,null,"x"],"psFormat":"table"}
            """#.replacing("HOST", with: registry.address)
        try terminal.scratch.write(text, to: "elsewhere/real.json")
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("docker"),
            withIntermediateDirectories: true
        )
        let link = terminal.scratch.path("docker/config.json")
        try FileManager.default.createSymbolicLink(
            atPath: link,
            withDestinationPath: terminal.scratch.path("elsewhere/real.json")
        )
        #expect(try await login().status == 0)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link).hasSuffix("elsewhere/real.json"))
        let stored = try config("elsewhere/real.json")
        #expect(stored["HttpHeaders"] as? [String: String] == ["X": "é"])
        #expect(stored["big"] as? Int64 == 9_007_199_254_740_993)
        #expect((stored["list"] as? [Any])?.count == 5)
        #expect(stored["psFormat"] as? String == "table")
        // The new entry stands in place of the one in another form.
        #expect(
            stored["auths"] as? [String: [String: String]] == [
                "other.example": ["auth": "YTpi"], registry.address: ["auth": encoded],
            ]
        )
    }

    @Test func `a file that is no such file is not touched`() async throws {
        try terminal.scratch.write("{\"auths\": 5}", to: "docker/config.json")
        let outcome = try await login()
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("config.json: it is not the JSON that docker and podman write"))
        #expect(String(decoding: try terminal.scratch.read("docker/config.json"), as: UTF8.self) == "{\"auths\": 5}")
    }

    @Test func `a file of the user's choice is for a path as well`() async throws {
        let file = terminal.scratch.path("auth.json")
        var command = terminal.command(
            ["login", "\(registry.address)/team", "-u", "me", "--password-stdin", "--authfile", file],
            input: password
        )
        command.environment.merge(environment) { $1 }
        #expect(try await command.run().status == 0)
        #expect(
            try config("auth.json")["auths"] as? [String: [String: String]] == [
                "\(registry.address)/team": ["auth": encoded]
            ]
        )
        #expect(try await run("list", registry.address, "--authfile", file).status == 4)
        #expect(try await run("list", "\(registry.address)/team/x", "--authfile", file).errorText.contains("404"))
        #expect(try await run("logout", "\(registry.address)/team", "--authfile", file).status == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives files away"))
    func `a file of another user stays theirs`() async throws {
        let file = try terminal.scratch.write("{}", to: "docker/config.json")
        try #require(chown(file, 4711, 4712) == 0)
        #expect(try await login().status == 0)
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.ownerAccountID] as? Int == 4711)
        #expect(attributes[.groupOwnerAccountID] as? Int == 4712)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func `what the environment itself holds is found`() async throws {
        let config = #"{"auths":{"\#(registry.address)":{"auth":"\#(encoded)"}}}"#
        var command = terminal.command(["list", registry.address])
        command.environment.merge(environment) { $1 }
        #expect(try await command.run().status == 4)
        command.environment["DOCKER_AUTH_CONFIG"] = config
        #expect(try await command.run().status == 0)
        command.environment["DOCKER_AUTH_CONFIG"] = config.replacing(encoded, with: "YTpi")
        let refused = try await command.run()
        #expect(
            refused.errorText.contains("it refuses the credentials from DOCKER_AUTH_CONFIG"),
            "\(refused.errorText)"
        )
        // What cannot be read of it is no obstacle.
        command.environment["DOCKER_AUTH_CONFIG"] = "/builds/auth.json"
        let unreadable = try await command.run()
        #expect(unreadable.errorText.contains("DOCKER_AUTH_CONFIG: it is not the JSON"), "\(unreadable.errorText)")
        #expect(unreadable.errorText.contains("; it is passed over"))
        #expect(unreadable.status == 4)
        // A file that is named is the only one.
        command.environment["DOCKER_AUTH_CONFIG"] = config
        try terminal.scratch.write("{}", to: "empty.json")
        command.arguments += ["--authfile", "empty.json"]
        #expect(try await command.run().status == 4)
    }

    @Test func `what another file has is named`() async throws {
        try terminal.scratch.write(
            #"{"auths":{"\#(registry.address)":{"auth":"YTpi"}}}"#,
            to: "session/containers/auth.json"
        )
        let session = ["XDG_RUNTIME_DIR": terminal.scratch.path("session")]
        var login = terminal.command(["login", registry.address, "-u", "me", "--password-stdin"], input: password)
        login.environment.merge(environment.merging(session) { $1 }) { $1 }
        let path = "\(terminal.scratch.path)/session/containers/auth.json"
        expect(
            try await login.run(),
            status: 0,
            errors: """
                logged in to \(registry.address) as me, which is kept in \(terminal.scratch.path)/docker/config.json
                but \(path) has other credentials for \(registry.address), which are found first

                """
        )
        var command = terminal.command(["logout", registry.address])
        command.environment.merge(environment) { $1 }
        command.environment["XDG_RUNTIME_DIR"] = terminal.scratch.path("session")
        let outcome = try await command.run()
        #expect(
            outcome.errorText.contains(
                "there are still credentials for \(registry.address), in \(terminal.scratch.path)/session/containers/auth.json"
            )
        )
    }

    @Test func `credentials come from files that the command line names, and none is told`() async throws {
        try terminal.scratch.write("USERNAME=me\nPASSWORD=\(password)\n", to: "creds")
        #expect(try await run("list", registry.address, "--credentials-file", "creds").status == 0)
        #expect(try await run("list", registry.address, "--creds", "\(registry.address)=creds").status == 0)
        #expect(try await run("list", registry.address, "--creds", "other.example=creds").status == 4)
        let token = TestSecrets.make("token")
        let guarded = try ScriptedRegistry { request in
            request.header("Authorization") == "Bearer \(token)"
                ? .text(#"{"repositories":[]}"#)
                : Answer(401, headers: [("WWW-Authenticate", "Bearer realm=\"http://127.0.0.1:1/token\"")])
        }
        try terminal.scratch.write("\(token)\n", to: "token")
        #expect(try await run("list", guarded.address, "--token", "token").status == 0)
        #expect(try await run("list", guarded.address, "--token", "-", input: token).status == 0)
        for mistake in [["--token", "eyJhbGciOi.s3cret"], ["--creds", "me:s3cret"]] {
            var command = terminal.command(["list", guarded.address] + mistake)
            command.environment.merge(environment) { $1 }
            let outcome = try await command.run()
            #expect(outcome.status != 0)
            #expect(!outcome.errorText.contains("s3cret"), "\(outcome.errorText)")
        }
    }

    @Test func `a registry that does not ask is told`() async throws {
        let open = try Source()
        var command = terminal.command(["login", open.address, "-u", "me", "--password-stdin"], input: password)
        command.environment.merge(environment) { $1 }
        let outcome = try await command.run()
        #expect(outcome.status == 0)
        #expect(
            outcome.errorText.contains("\(open.address) did not ask who is there, so the password is stored unchecked")
        )
    }

    @Test func `a person is asked, and the password is not shown`() async throws {
        // The terminal of a person is that of script(1).
        let line = "\(terminal.command([]).tool) login \(registry.address)"
        var command = Command("script", ["-qec", line, "/dev/null"])
        command.environment = terminal.command([]).environment.merging(environment) { $1 }
        let (running, input) = try RunningCommand.startHoldingInput(command)
        let keyboard = FileHandle(fileDescriptor: input, closeOnDealloc: true)
        #expect(running.waitForOutput(containing: "User name for"))
        keyboard.write(Data("me\n".utf8))
        #expect(running.waitForOutput(containing: "Password of me"))
        keyboard.write(Data("\(password)\n".utf8))
        let outcome = running.wait()
        #expect(!outcome.outputText.contains(password))
        // Nor is anything drawn over the questions.
        let question = try #require(outcome.outputText.firstRange(of: "User name for"))
        #expect(!outcome.outputText[question.upperBound...].contains("working"))
        #expect(outcome.status == 0, "\(outcome.outputText)")
        #expect(outcome.outputText.contains("User name for \(registry.address): "))
        #expect(outcome.outputText.contains("Password of me: "))
        #expect(try config()["auths"] as? [String: [String: String]] == [registry.address: ["auth": encoded]])
    }

    @Test(arguments: [
        (["login", "r.example"], "There is no terminal to ask at: --username and --password-stdin say who is there"),
        (["login", "r.example", "-u", "me"], "There is no terminal to ask at"),
        (["login", "r.example", "--password-stdin"], "--password-stdin needs --username"),
        (["login", "r.example", "--token", "-"], "login takes a user name and a password"),
        (["login", "no registry"], "names no registry"), (["login"], "Missing expected argument '<registry>'"),
        (["logout"], "Missing expected argument '<registry>'"),
    ])
    func `what is missing is told`(arguments: [String], message: String) async throws {
        var command = terminal.command(arguments)
        command.environment.merge(environment) { $1 }
        let outcome = try await command.run()
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
    }
}
