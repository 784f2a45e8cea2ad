import Foundation
import TestSupport
import Testing

/// A real registry that sends everybody to a token server, and believes what that has signed.
@Suite(.timeLimit(.minutes(10))) struct TokenRegistryTests {
    private let terminal: Terminal
    private let issuer: JWTIssuer
    private let tokens: ScriptedRegistry
    private let registry: DockerRegistry
    private let image: TestImage

    init() throws {
        terminal = try Terminal()
        let issuer = try JWTIssuer()
        self.issuer = issuer
        tokens = try ScriptedRegistry { issuer.answer($0) }
        var options = RegistryOptions()
        options.tokens = issuer.trust(at: tokens.address)
        registry = try DockerRegistry(options: options)
        var builder = ImageBuilder(seed: 268)
        image = try builder.image()
        for repository in ["open/app", "team/app"] { try registry.storage.add(image, repository: repository, tag: "1") }
    }

    /// Runs `drayage` with a file of credentials.
    private func run(_ arguments: String..., entry: String? = nil) async throws -> Outcome {
        var command = terminal.command(arguments)
        if let entry {
            let text = #"{"auths":{"\#(registry.address)":\#(entry)}}"#
            command.environment["REGISTRY_AUTH_FILE"] = try terminal.scratch.write(text, to: "auth.json")
        }
        return try await command.run()
    }

    private var password: String {
        let auth = Data("\(issuer.user.name):\(issuer.user.password)".utf8).base64EncodedString()
        return #"{"auth":"\#(auth)"}"#
    }

    private var identityToken: String { #"{"identitytoken":"\#(issuer.refreshToken)"}"# }

    @Test func `nobody in particular pulls what is open, and is told what is not`() async throws {
        let open = try await run("bundle", "\(registry.address)/open/app:1", "-o", "open.tar")
        #expect(open.status == 0, "\(open.errorText)")
        #expect(issuer.requests.map(\.isAnonymous) == [true])
        #expect(issuer.requests.map(\.scopes) == [["repository:open/app:pull"]])
        // One challenge, and then the one token for everything.
        #expect(registry.requests.count { $0.status == 401 } == 1)

        let closed = try await run("bundle", "\(registry.address)/team/app:1", "-o", "closed.tar")
        #expect(closed.status == 4)
        #expect(closed.errorText.contains("there are no credentials for \(registry.address)"), "\(closed.errorText)")
        #expect(!terminal.scratch.contains("closed.tar"))
    }

    @Test(arguments: [false, true])
    func `a user pulls, pushes and mounts, with a password or an identity token`(isToken: Bool) async throws {
        let entry = isToken ? identityToken : password
        let bundled = try await run("bundle", "\(registry.address)/team/app:1", "-o", "bundle.tar", entry: entry)
        #expect(bundled.status == 0, "\(bundled.errorText)")
        let pushed = try await run("push", "bundle.tar", "\(registry.address)/copy", entry: entry)
        #expect(pushed.status == 0, "\(pushed.errorText)")
        let verified = try await run("verify", "bundle.tar", "--at", "\(registry.address)/copy", entry: entry)
        #expect(verified.status == 0, "\(verified.errorText)")
        #expect(registry.storage.tags(repository: "copy/team/app") == ["1"])
        #expect(issuer.requests.allSatisfy { !$0.isAnonymous && $0.method == (isToken ? "POST" : "GET") })
        #expect(issuer.requests.map(\.scopes).contains(["repository:copy/team/app:pull,push"]))
        // The registry sees neither the password nor the identity token: one challenge a command, and then tokens.
        #expect(registry.requests.count { $0.status == 401 } == 3)
    }

    @Test func `a login is for whom the token server knows`() async throws {
        let file = terminal.scratch.path("auth.json")
        func login(_ password: String) async throws -> Outcome {
            try await terminal.drayage(
                "login",
                registry.address,
                "-u",
                issuer.user.name,
                "--password-stdin",
                "--authfile",
                file,
                input: password
            )
        }
        let wrong = try await login(TestSecrets.make("wrong"))
        #expect(wrong.status == 4)
        #expect(
            wrong.errorText.contains("the token server refuses the credentials from the command line"),
            "\(wrong.errorText)"
        )
        #expect(!terminal.scratch.contains("auth.json"))
        #expect(try await login(issuer.user.password).status == 0)
        let listed = try await terminal.drayage("list", "\(registry.address)/team/app", "--authfile", file)
        #expect(listed.status == 0, "\(listed.errorText)")
    }
}
