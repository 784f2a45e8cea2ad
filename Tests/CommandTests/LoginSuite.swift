import Foundation
import TestSupport
import Testing

/// Tests of credentials that are stored, found again and removed: against a registry that asks for them.
protocol LoginSuite {
    /// What they are done with.
    var site: LoginSite { get }
}

/// A registry that asks for credentials, and a terminal to give it some at.
struct LoginSite {
    let terminal: Terminal
    let registry: DockerRegistry
    let password: String

    init() throws {
        terminal = try Terminal()
        let user = TestSecrets.user("me")
        password = user.password
        registry = try DockerRegistry(options: .init(user: user))
        var builder = ImageBuilder(seed: 263)
        try registry.storage.add(try builder.image(), repository: "app", tag: "1")
    }
}

extension LoginSuite {
    var terminal: Terminal { site.terminal }
    var registry: DockerRegistry { site.registry }
    var password: String { site.password }

    var environment: [String: String] {
        ["DOCKER_CONFIG": terminal.scratch.path("docker"), "PATH": "\(terminal.scratch.path):/usr/bin:/bin"]
    }

    func run(_ arguments: String..., input: String = "") async throws -> Outcome {
        var command = terminal.command(arguments, input: input)
        command.environment.merge(environment) { $1 }
        return try await command.run()
    }

    func login(_ extra: String..., password: String? = nil) async throws -> Outcome {
        var command = terminal.command(
            ["login", registry.address, "-u", "me", "--password-stdin"] + extra,
            input: (password ?? self.password) + "\n"
        )
        command.environment.merge(environment) { $1 }
        return try await command.run()
    }

    func config(_ name: String = "docker/config.json") throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(try terminal.scratch.read(name)))
        return try #require(object as? [String: Any])
    }

    var encoded: String { Data("me:\(password)".utf8).base64EncodedString() }
}
