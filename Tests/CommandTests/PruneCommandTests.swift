import Foundation
import OCI
import TestSupport
import Testing

/// `drayage prune` as its user meets it.
@Suite struct PruneCommandTests {
    private let terminal: Terminal
    private let storage: RegistryStorage
    private let (old, new): (TestImage, TestImage)

    init() throws {
        terminal = try Terminal()
        storage = RegistryStorage(root: terminal.scratch.path("registry"))
        var builder = ImageBuilder(seed: 441)
        (old, new) = (try builder.image(), try builder.image())
        try storage.add(old, repository: "library/app", tag: "1.0")
        try storage.add(new, repository: "library/app", tag: "2.0")
        try storage.add(old, repository: "team/tool", tag: "7")
        try terminal.scratch.write("# ours\napp:2.0\n", to: "required.txt")
    }

    private func prune(_ arguments: String..., input: String = "") async throws -> Outcome {
        try await terminal.command(["prune"] + arguments, input: input).run()
    }

    private var root: String { storage.root }

    @Test func `a dry run says what goes and what stays, and why`() async throws {
        let outcome = try await prune("./registry", "-f", "required.txt", "--dry-run")
        expect(
            outcome,
            status: 0,
            output: """
                ACTION  IMAGE            WHY
                remove  library/app:1.0  not required
                keep    library/app:2.0  required (required.txt:2)
                remove  team/tool        nothing of it stays
                remove  team/tool:7      not required

                """,
            errors: """
                \(root): would remove 2 tags, 2 manifests, 3 blobs, 4 links, 1 whole repository; 1 tag stays, \(freed) free

                """
        )
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
    }

    /// The bytes of the old image, as they are told.
    private var freed: String {
        let count = old.blobs.reduce(Int64(old.document.bytes.count)) { $0 + $1.descriptor.size }
        return String(format: "%.2f kB", Double(count) / 1000)
    }

    @Test func `with yes it is done, and said`() async throws {
        let outcome = try await prune("./registry", "-f", "required.txt", "--yes", "--grace", "0s")
        expect(
            outcome,
            status: 0,
            output: """
                ACTION  IMAGE            WHY
                remove  library/app:1.0  not required
                remove  team/tool        nothing of it stays
                remove  team/tool:7      not required

                """,
            errors: """
                \(root): removed 2 tags, 2 manifests, 3 blobs, 4 links, 1 whole repository; \(freed) free

                """
        )
        #expect(storage.repositories() == ["library/app"])
        #expect(storage.tags(repository: "library/app") == ["2.0"])
        let again = try await prune("./registry", "-f", "required.txt", "--yes", "--grace", "0s")
        expect(again, status: 0, errors: "\(root): there is nothing to remove; 1 tag stays\n")
    }

    @Test func `without yes and without a terminal nothing is done`() async throws {
        let outcome = try await prune("./registry", "-f", "required.txt", "--grace", "0s")
        expect(
            outcome,
            status: 64,
            errors: """
                error: there is no terminal to ask on, so nothing was removed: give --yes, or look with --dry-run

                """
        )
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
    }

    /// What is typed, and whether it is a yes.
    @Test(arguments: [("y\n", true), ("YES\n", true), ("n\n", false), ("\n", false), ("yellow\n", false)])
    func `on a terminal it shows what would go and asks`(answer: String, isYes: Bool) async throws {
        let line = terminal.command(["prune", "./registry", "-f", "required.txt", "--grace", "0s"])
        let script = Command(
            "script",
            ["-qec", ([line.tool] + line.arguments).joined(separator: " "), "/dev/null"],
            environment: line.environment,
            input: Array(answer.utf8),
            directory: line.directory
        )
        let outcome = try await script.run()
        #expect(outcome.outputText.contains("remove  library/app:1.0  not required"))
        let question =
            "Remove 2 tags, 2 manifests, 3 blobs, 4 links, 1 whole repository, in all \(freed)? (1 tag stays) [y/N]"
        #expect(outcome.outputText.contains(question))
        #expect(storage.tags(repository: "library/app") == (isYes ? ["2.0"] : ["1.0", "2.0"]))
        #expect(outcome.status == (isYes ? 0 : 1))
    }

    @Test func `a plan is written, looked at, and carried out later`() async throws {
        let planned = try await prune("./registry", "-f", "required.txt", "--plan", "plan.json")
        #expect(planned.status == 0)
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
        let plan = try #require(
            try JSONSerialization.jsonObject(with: Data(terminal.scratch.read("plan.json"))) as? [String: Any]
        )
        #expect(plan["schema"] as? String == "dev.drayage.prune-plan.v1")
        #expect(plan["target"] as? String == root)
        let done = try await prune("./registry", "--apply", "plan.json", "--yes", "--grace", "0s")
        #expect(done.status == 0, "\(done.errorText)")
        #expect(storage.repositories() == ["library/app"])
    }

    @Test func `the document tells everything`() async throws {
        let outcome = try await prune("./registry", "-f", "required.txt", "--yes", "--grace", "0s", "--json")
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any]
        )
        let removed = try #require(document["removed"] as? [String: Any])
        #expect(removed["tagCount"] as? Int == 2)
        #expect(removed["manifestCount"] as? Int == 2)
        #expect(removed["blobCount"] as? Int == 3)
        #expect(removed["repositoryCount"] as? Int == 1)
        #expect(document["outcome"] as? String == "done")
        let repositories = (document["plan"] as? [String: Any])?["repositories"] as? [[String: Any]]
        #expect(repositories?.compactMap { $0["repository"] as? String } == ["library/app", "team/tool"])
    }

    /// A list, and what is said of it.
    @Test(arguments: [
        ("", 64, "error: list.txt holds no reference, so it requires nothing\n"),
        ("# nothing\n\n", 64, "error: list.txt holds no reference, so it requires nothing\n"),
        ("app:2.0\n${TAG}\n", 64, "list.txt:2: "),
        ("\u{0}\u{1}", 64, "list.txt:1: "),
        ("app:3.0\n", 1, "docker.io/library/app:3.0 is required (list.txt:1) and is not in"),
    ])
    func `a list that is empty or no list, or asks for what is not there, is refused`(
        list: String,
        status: Int32,
        message: String
    ) async throws {
        try terminal.scratch.write(list, to: "list.txt")
        let outcome = try await prune("./registry", "-f", "list.txt", "--yes", "--grace", "0s")
        #expect(outcome.status == status)
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
    }

    @Test func `a list that cannot be read is refused`() async throws {
        let outcome = try await prune("./registry", "-f", "nowhere.txt", "--yes", "--grace", "0s")
        expect(
            outcome,
            status: 1,
            errors: "error: reading the list nowhere.txt: no such file or directory\n"
        )
    }

    /// Arguments that make no sense, and what is said of them.
    @Test(arguments: [
        (["./registry"], "Name what must stay"),
        (["./registry", "app:1", "--apply", "p.json"], "--apply carries out what its file says"),
        (["./registry", "--plan", "p.json", "--apply", "p.json"], "--plan and --apply exclude each other"),
        (["./registry", "--apply", "p.json", "--only", "library/*"], "--apply carries out what its file says"),
        (["registry.site", "app:1", "--prefix", "m"], "--prefix is for a directory"),
        (["./registry", "app:1", "--repository", "a/b"], "--repository is for a registry"),
        (["./registry", "app:1", "--only", "A//"], "no repository's path can match"),
        (["./registry", "--keep-tag", "("], "is no regular expression"),
        (["./registry", "--keep-newest", "0"], "at least one must stay"),
        (["./registry", "app:1", "--grace", "soon"], "grace"),
    ])
    func `what makes no sense is refused`(arguments: [String], message: String) async throws {
        let outcome = try await terminal.command(["prune"] + arguments).run()
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
    }

    @Test func `a plan file that is none is refused, with its place`() async throws {
        try terminal.scratch.write(#"{"schema": "x"}"#, to: "plan.json")
        let outcome = try await prune("./registry", "--apply", "plan.json", "--yes")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("error: reading the plan plan.json: it is no plan of drayage prune: "))
    }

    @Test func `a registry that does not delete is found out before anything is removed`() async throws {
        let registry = try DockerRegistry(on: storage, options: RegistryOptions(allowsDelete: false))
        let outcome = try await prune(registry.address, "-f", "required.txt", "--yes")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("REGISTRY_STORAGE_DELETE_ENABLED"), "\(outcome.errorText)")
        #expect(storage.tags(repository: "library/app") == ["1.0", "2.0"])
    }

    @Test func `an interruption in the middle is said, and the same command goes on`() async throws {
        var builder = ImageBuilder(seed: 442)
        for number in 0..<300 { try storage.add(try builder.image(), repository: "many/app-\(number)", tag: "1") }
        let arguments = ["prune", "./registry", "-f", "required.txt", "--yes", "--grace", "0s"]
        let running = try terminal.command(arguments).start()
        // The first of 300 tags to go; manifests, links and blobs come after all of them.
        while !running.hasEnded, storage.tags(repository: "many/app-0") != [] { usleep(200) }
        running.signal(SIGINT)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        #expect(outcome.errorText.contains("the same command goes on"))
        #expect(storage.repositories().count > 1)
        let again = try await terminal.command(arguments).run()
        #expect(again.status == 0, "\(again.errorText)")
        #expect(storage.repositories() == ["library/app"])
    }
}
