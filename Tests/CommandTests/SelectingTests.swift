import TestSupport
import Testing

/// Tags that are chosen where a list asks for all of them.
@Suite struct SelectingTests {
    private let terminal: Terminal
    private let source: Source

    private static let tags = [
        "1.0", "1.1.0", "1.2", "1.3-rc1", "2.0.0", "2.0.0-debian", "edge", "latest", "v1.1.5",
    ]

    init() throws {
        // So that there is more than one page.
        (terminal, source) = (try Terminal(), try Source(pageSize: 4))
        var builder = ImageBuilder(seed: 1510)
        for tag in Self.tags { try source.add(try builder.image(), "acme/app", tag: tag) }
        let digest = String(repeating: "a", count: 64)
        for tag in ["sha256-\(digest).sig", "sha256-\(digest)"] {
            try source.add(try builder.image(), "acme/app", tag: tag)
        }
        try source.add(try builder.image(), "acme/db")
    }

    private func chosen(_ options: [String], list: [String]? = nil) async throws -> [String] {
        let list = list ?? ["\(source.address)/acme/app:*"]
        let outcome = try await terminal.command(["bundle", "--dry-run", "--no-referrers"] + list + options).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        return outcome.outputText.split(separator: "\n").dropFirst().compactMap { line in
            line.split(separator: " ").first { $0.contains("/") }.map { String($0.dropFirst(source.address.count + 1)) }
        }
    }

    @Test(arguments: [
        ([], tags),
        (["--tags-matching", #"^v?\d+\.\d+(\.\d+)?$"#], ["1.0", "1.1.0", "1.2", "2.0.0", "v1.1.5"]),
        (["--tags-semver", ">=1.1 <2"], ["1.1.0", "1.2", "v1.1.5"]),
        (["--tags-semver", "^1.3-0 || 2.x"], ["1.3-rc1", "2.0.0"]),
        (["--newest", "2"], ["1.2", "2.0.0"]),
        (["--tags-semver", "1.x", "--newest", "1"], ["1.2"]),
        (
            ["--exclude", "*:*-debian", "--exclude", "*:edge", "--tags-matching", "[a-z]"],
            ["1.3-rc1", "latest", "v1.1.5"]
        ),
    ])
    func `tags are chosen`(options: [String], tags: [String]) async throws {
        #expect(Set(try await chosen(options)) == Set(tags.map { "acme/app:\($0)" }))
    }

    @Test func `what is excluded is left out of a list as well`() async throws {
        let list = ["\(source.address)/acme/app:*", "\(source.address)/acme/db:1"]
        #expect(try await chosen(["--newest", "1"], list: list) == ["acme/app:2.0.0", "acme/db:1"])
        #expect(
            try await chosen(
                ["--exclude", "\(source.address)/acme/a*"],
                list: [list[1], "\(source.address)/acme/app:1.0"]
            )
                == ["acme/db:1"]
        )
    }

    @Test func `a list in a file may ask for all tags`() async throws {
        try terminal.scratch.write("# all\n\(source.address)/acme/app:*  # of it\n", to: "list.txt")
        #expect(try await chosen(["-f", "list.txt", "--newest", "1"], list: []) == ["acme/app:2.0.0"])
    }

    @Test func `where nothing is chosen, that is an error with the place`() async throws {
        try terminal.scratch.write("\n\(source.address)/acme/app:*\n", to: "list.txt")
        let outcome = try await terminal.drayage("bundle", "-f", "list.txt", "--tags-semver", ">=9", "--dry-run")
        #expect(outcome.status == 64)
        #expect(
            outcome.errorText.contains(
                "list.txt:2: \(source.address)/acme/app:* asks for tags, and none of its 11 tags is chosen"
            )
        )
        let missing = try await terminal.drayage("bundle", "\(source.address)/acme/none:*", "--dry-run")
        #expect(missing.status == 1)
        #expect(missing.errorText.contains("\(source.address)/acme/none"))
        let excluded = try await terminal.drayage("bundle", "a:1", "--exclude", "a", "--dry-run")
        #expect(excluded.status == 64)
        #expect(excluded.errorText.contains("nothing is left of the list of images"))
    }

    @Test func `rules that say nothing are told`() async throws {
        let name = "\(source.address)/acme/db:1"
        let idle = try await terminal.drayage("bundle", name, "--exclude", "nosuch", "--dry-run")
        #expect(idle.status == 0)
        #expect(idle.errorText.contains("nothing is excluded by docker.io/library/nosuch"))
        let tags = try await terminal.drayage("bundle", name, "--newest", "2", "--dry-run")
        #expect(tags.status == 64)
        #expect(tags.errorText.contains("tags are chosen where all of a repository are asked for: write app:* for app"))
    }

    /// What was chosen is what is locked, whatever tags there are by then.
    @Test func `a choice can be locked`() async throws {
        let all = "\(source.address)/acme/app:*"
        try await terminal.succeed("bundle", all, "--newest", "1", "--lock", "l", "-o", "a.tar")
        var builder = ImageBuilder(seed: 1511)
        try source.add(try builder.image(), "acme/app", tag: "3.0")
        try await terminal.succeed("bundle", all, "--newest", "1", "--lock", "l", "--locked", "-o", "b.tar")
        #expect(try terminal.scratch.read("a.tar") == terminal.scratch.read("b.tar"))
        let other = try await terminal.drayage(
            "bundle",
            "\(source.address)/acme/db:*",
            "--lock",
            "l",
            "--locked",
            "-o",
            "c.tar"
        )
        #expect(other.status == 64)
        #expect(other.errorText.contains("no tag of \(source.address)/acme/db is locked"))
    }

    @Test func `dates and numbers of builds are not the newest beside versions`() async throws {
        var builder = ImageBuilder(seed: 1512)
        for tag in ["20240923", "8675309", "3.1"] { try source.add(try builder.image(), "acme/mixed", tag: tag) }
        #expect(try await chosen(["--newest", "2"], list: ["\(source.address)/acme/mixed:*"]) == ["acme/mixed:3.1"])
    }

    @Test func `a bundle of chosen tags is one like any other`() async throws {
        let outcome = try await terminal.drayage(
            "bundle",
            "\(source.address)/acme/app:*",
            "--newest",
            "2",
            "-o",
            "b.tar"
        )
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let list = try await terminal.drayage("list", "b.tar")
        #expect(list.outputText.split(separator: "\n").count == 3)
    }
}
