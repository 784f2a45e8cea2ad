import OCI
import TestSupport
import Testing

/// Images that other tools made, in a registry of another: umoci makes each, podman their index, skopeo carries them.
struct ToolImages {
    let terminal: Terminal
    let registry: DockerRegistry
    let key: SigningKey
    /// An index of both platforms.
    let app: String
    /// Its images, by their architecture.
    let parts: [String: String]

    static let architectures = ["amd64", "arm64"]
    /// The bundles that every reader is given: the names of their images, and how they are made.
    private var recipes: [(file: String, names: [String], options: [String])] {
        [
            ("single.tar", [parts["arm64"] ?? ""], []), ("multi.tar", [app], ["--no-referrers"]),
            ("stripped.tar", [app], ["-p", "linux/amd64"]),
            ("sparse.tar", [app], ["-p", "linux/amd64", "--sparse", "keep"]),
            ("signed.tar", [app], ["--verify-key", terminal.scratch.path("key.pub")]),
            ("many.tar", [app] + parts.values.sorted(), []),
        ]
    }

    init() async throws {
        (terminal, registry, key) = (try Terminal(), try DockerRegistry(), try SigningKey())
        let scratch = terminal.scratch
        try scratch.write(key.publicPEM, to: "key.pub")
        app = "\(registry.address)/app:1"
        let address = registry.address
        parts = Dictionary(uniqueKeysWithValues: Self.architectures.map { ($0, "\(address)/parts:\($0)") })
        try await run("umoci", ["init", "--layout", "made"])
        try await run("podman", podman(["manifest", "create", "list"]))
        for architecture in Self.architectures {
            let image = "made:\(architecture)"
            try await run("umoci", ["new", "--image", image])
            try await run("umoci", ["config", "--image", image, "--os", "linux", "--architecture", architecture])
            try scratch.write("\(architecture)\n", to: "\(architecture)/etc/architecture")
            try await run("umoci", ["insert", "--rootless", "--image", image, architecture, "/"])
            let part = "docker://\(address)/parts:\(architecture)"
            try await run("skopeo", ["copy", "--dest-tls-verify=false", "oci:\(image)", part])
            let add = ["manifest", "add", "--tls-verify=false", "--os", "linux", "--arch", architecture, "list", part]
            try await run("podman", podman(add))
        }
        try await run("podman", podman(["manifest", "push", "--tls-verify=false", "--all", "list", "docker://\(app)"]))
        try sign()
    }

    /// Signs the index as cosign does.
    private func sign() throws {
        let digest = try #require(try registry.storage.digest(ofTag: "1", repository: "app"))
        let signature = try ImageBuilder().signatures([.simple(of: digest, by: key)])
        try registry.storage.add(signature, repository: "app", tag: "sha256-\(digest.hex).sig")
    }

    /// Makes a bundle of each kind.
    ///
    /// - Returns: the files, each with the names of its images.
    func bundles() async throws -> [(file: String, names: [String])] {
        for recipe in recipes {
            let command = terminal.command(["bundle", "-q", "-o", recipe.file] + recipe.names + recipe.options)
            let outcome = try await command.run()
            #expect(outcome.status == 0, "\(recipe.file): \(outcome.errorText)")
        }
        return recipes.map { ($0.file, $0.names.sorted()) }
    }

    /// The arguments by which podman keeps everything of its own in the scratch directory.
    func podman(_ arguments: [String]) -> [String] {
        let scratch = terminal.scratch
        return ["--root", scratch.path("podman"), "--runroot", scratch.path("run"), "--storage-driver", "vfs"]
            + arguments
    }

    /// Runs a tool that must succeed.
    @discardableResult
    func run(_ tool: String, _ arguments: [String], location: SourceLocation = #_sourceLocation) async throws
        -> [String]
    {
        let outcome = try await attempt(tool, arguments)
        #expect(outcome.status == 0, "\(tool) \(arguments): \(outcome.errorText)", sourceLocation: location)
        return outcome.outputText.split(separator: "\n").map(String.init)
    }

    /// Runs a tool.
    func attempt(_ tool: String, _ arguments: [String]) async throws -> Outcome {
        let scratch = terminal.scratch
        return try await Command(
            tool,
            arguments,
            environment: ["TMPDIR": scratch.path],
            directory: scratch.path
        ).run()
    }
}
