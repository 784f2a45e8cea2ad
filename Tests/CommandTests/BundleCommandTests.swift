import TestSupport
import Testing

@Suite struct BundleCommandTests {
    private let terminal: Terminal
    private let source: Source
    private let image: TestImage
    private let name: String

    init() throws {
        terminal = try Terminal()
        source = try Source()
        var builder = ImageBuilder(seed: 200)
        image = try builder.image(layers: [builder.opaqueLayer(byteCount: 1_500_000)])
        name = try source.add(image, "app")
    }

    @Test func `images become a file; stdout has what was done, stderr how it went`() async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar")
        expect(
            outcome,
            status: 0,
            output: "bundled  \(name)  \(image.digest)\n",
            errors: "2 blobs, 1.50 MB to go\nbundle.tar: 1 image, 2 blobs, 1.51 MB\n"
        )
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `quiet prints nothing`() async throws {
        expect(try await terminal.drayage("bundle", name, "-o", "bundle.tar", "-q"), status: 0, errors: "")
        expect(try await terminal.drayage("bundle", name, "-o", "b.tar", "--quiet"), status: 0, errors: "")
    }

    @Test func `a dry run prints what the bundle would hold`() async throws {
        for output in [[], ["-o", "bundle.tar"]] {
            let outcome = try await terminal.command(["bundle", name, "--dry-run"] + output).run()
            expect(
                outcome,
                status: 0,
                output: """
                    ACTION  REFERENCE\(String(repeating: " ", count: name.count - 9))     SIZE  DIGEST
                    bundle  \(name)  1.50 MB  \(image.digest)

                    """,
                errors: "would bundle 1 image, 2 blobs, 1.50 MB\n"
            )
        }
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `references come from arguments, from files and from stdin, and fold`() async throws {
        var builder = ImageBuilder(seed: 201)
        let names = try (1...4).map { try source.add(builder.image(), "app-\($0)") }
        try terminal.scratch.write("# first\n\(names[0])\n\n", to: "one.txt")
        try terminal.scratch.write("\(names[1]) # second\r\n\(names[0])\r\n", to: "two.txt")
        let outcome = try await terminal.drayage(
            "bundle",
            names[3],
            "-f",
            "one.txt",
            "--file",
            "two.txt",
            "-f",
            "-",
            "-o",
            "bundle.tar",
            "--json",
            input: "\(names[2])\n\(names[3])\n"
        )
        #expect(outcome.status == 0)
        #expect(try ReportDocument(outcome.output).images.map(\.reference) == names)
    }

    @Test func `without the images that fail it ends with 2`() async throws {
        let missing = "\(source.address)/none:1"
        let outcome = try await terminal.drayage("bundle", missing, name, "-o", "bundle.tar", "--keep-going")
        expect(
            outcome,
            status: 2,
            output: "bundled  \(name)  \(image.digest)\n",
            errors: """
                2 blobs, 1.50 MB to go
                error: \(notFound(missing))
                bundle.tar: 1 image, 2 blobs, 1.51 MB; left out: 1 image

                """
        )
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `all failures are printed, also with quiet, and no file is left`() async throws {
        let missing = ["\(source.address)/none:1", "\(source.address)/none:2"]
        for quiet in [false, true] {
            let arguments = ["bundle", missing[0], name, missing[1], "-o", "bundle.tar"] + (quiet ? ["-q"] : [])
            let outcome = try await terminal.command(arguments).run()
            expect(
                outcome,
                status: 1,
                errors: "error: \(notFound(missing[0]))\nerror: \(notFound(missing[1]))\n"
                    + (quiet ? "" : "bundle failed: 2 failures\n")
            )
            #expect(try terminal.scratch.names() == [])
        }
    }

    @Test func `verbose prints every request and no secret`() async throws {
        let secret = TestSecrets.user("me").password
        let outcome = try await terminal.drayage(
            "bundle",
            name,
            "-o",
            "bundle.tar",
            "-v",
            "-u",
            "me",
            "--password-stdin",
            input: secret
        )
        #expect(outcome.status == 0)
        for line in source.registry.lines {
            let path = line.dropFirst("GET ".count)
            #expect(outcome.errorText.contains("GET http://\(source.address)\(path)"))
        }
        #expect(!outcome.errorText.contains(secret))
        #expect(outcome.outputText == "bundled  \(name)  \(image.digest)\n")
    }

    private func notFound(_ name: String) -> String {
        let parts = name.split(separator: "/", maxSplits: 1)
        let path = parts[1].replacing(":", with: "/manifests/")
        return "fetching the manifest of \(name): GET http://\(parts[0])/v2/\(path) answered 404: "
            + "not found (MANIFEST_UNKNOWN: manifest unknown)"
    }
}
