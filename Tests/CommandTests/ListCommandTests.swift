import TestSupport
import Testing

@Suite struct ListCommandTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    @Test func `a bundle is listed`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 220)
        let images = [
            try builder.multiPlatform(), try builder.image(layers: [builder.opaqueLayer(byteCount: 2_345_678)]),
        ]
        let names = [try source.add(images[0], "a"), try source.add(images[1], "b")]
        try await terminal.succeed("bundle", names[0], names[1], "-o", "bundle.tar")
        let outcome = try await terminal.drayage("list", "bundle.tar")
        #expect(outcome.status == 0)
        let lines = outcome.outputText.split(separator: "\n").map { $0.split(separator: #/ {2,}/#).map(String.init) }
        #expect(lines.count == 3)
        #expect(lines[0] == ["REFERENCE", "PLATFORMS", "SIZE", "DIGEST"])
        #expect(lines[1][0...1] == [names[0], "linux/amd64, linux/arm64/v8"])
        #expect(lines[2] == [names[1], "linux/amd64", "2.35 MB", "\(images[1].digest)"])
        #expect(outcome.errorText == "2 images, 6 blobs, 2.36 MB\n")
        expect(try await terminal.drayage("list", "bundle.tar", "-q"), status: 0, errors: "")
    }

    @Test func `a registry and one of its repositories are listed`() async throws {
        let registry = try Source(pageSize: 2)
        var builder = ImageBuilder(seed: 221)
        for tag in ["1", "2", "3"] { try registry.add(builder.image(), "team/app", tag: tag) }
        for name in ["b", "c"] { try registry.add(builder.image(), name) }
        expect(
            try await terminal.drayage("list", registry.address),
            status: 0,
            output: "REPOSITORY  TAGS\nb           1\nc           1\nteam/app    1, 2, 3\n",
            errors: ""
        )
        expect(
            try await terminal.drayage("list", "\(registry.address)/team/app"),
            status: 0,
            output: "REPOSITORY  TAGS\nteam/app    1, 2, 3\n",
            errors: ""
        )
        expect(
            try await terminal.drayage("list", "\(registry.address)/none"),
            status: 1,
            output: "",
            errors: """
                error: listing the tags of \(registry.address)/none: GET http://\(registry.address)/v2/none/tags/list \
                answered 404: not found (NAME_UNKNOWN: no)
                list failed: 1 failure

                """
        )
    }

    /// What is taken for a file, and for a registry.
    @Test(arguments: [
        ("bundle.tar", "reading bundle.tar: opening it: no such file or directory"),
        ("./bundle", "reading ./bundle: opening it: no such file or directory"),
        ("/nowhere/bundle", "reading /nowhere/bundle: opening it: no such file or directory"),
        ("bundle", "reading bundle: opening it: no such file or directory"),
        ("registry.invalid", "listing the repositories of registry.invalid: "),
        ("https://bundle.tar.invalid", "listing the repositories of bundle.tar.invalid: "),
    ])
    func `what is not there is named as what it was taken for`(subject: String, message: String) async throws {
        let outcome = try await terminal.drayage("list", subject)
        #expect(outcome.status == 1)
        #expect(outcome.errorText.hasPrefix("error: \(message)"), "\(outcome.errorText)")
    }
}
