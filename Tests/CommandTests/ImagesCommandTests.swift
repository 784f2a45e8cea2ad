import Foundation
import TestSupport
import Testing

/// `drayage images`, and `-f` of the other commands with the same files.
@Suite struct ImagesCommandTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    /// As `helm template` prints it.
    private static let rendered = """
        ---
        # Source: web/templates/deployment.yaml
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
        spec:
          template:
            spec:
              initContainers:
                - name: wait
                  image: busybox  # any shell
              containers:
                - name: web
                  image: "quay.io/acme/web:v1.8.2"
                  args: ["--reloader=ghcr.io/acme/reload:1.2"]
        ---
        # Source: web/templates/tests.yaml
        apiVersion: v1
        kind: Pod
        metadata: {name: check}
        spec: {containers: [{name: c, image: busybox}]}

        """

    @Test func `what files name is a list, with the places behind`() async throws {
        let outcome = try await terminal.drayage("images", "-", input: Self.rendered)
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(
            outcome.outputText == """
                docker.io/library/busybox:latest  # stdin:12 Deployment/web spec.template.spec.initContainers[0].image, \
                stdin:22 Pod/check spec.containers[0].image
                quay.io/acme/web:v1.8.2           # stdin:15 Deployment/web spec.template.spec.containers[0].image

                """
        )
        #expect(outcome.errorText == "2 images, named in 3 places\n")
        // What was printed is a list.
        let again = try await terminal.drayage("images", "-", input: outcome.outputText)
        #expect(
            again.outputText.split(separator: "\n").map { $0.split(separator: " ")[0] } == [
                "docker.io/library/busybox:latest", "quay.io/acme/web:v1.8.2",
            ]
        )
    }

    @Test func `the document has each place`() async throws {
        struct Document: Decodable {
            struct Found: Decodable {
                let reference: String
                let text: String
                let place: String
                let object: String?
                let field: String?
            }
            let found: [Found]
        }
        let outcome = try await terminal.drayage("images", "--json", "--guess", "-", input: Self.rendered)
        let found = try JSONDecoder().decode(Document.self, from: Data(outcome.output)).found
        #expect(found.map(\.text) == ["busybox", "quay.io/acme/web:v1.8.2", "ghcr.io/acme/reload:1.2", "busybox"])
        #expect(found[2].field == "spec.template.spec.containers[0].args[0]")
        #expect(found[0].reference == "docker.io/library/busybox:latest")
    }

    @Test func `a directory is all of its YAML and JSON, in order`() async throws {
        try terminal.scratch.write("image: b:1\n", to: "d/b.yml")
        try terminal.scratch.write(#"{"image": "a:1"}"#, to: "d/a/x.json")
        try terminal.scratch.write("c:1\n", to: "d/README.md")
        try terminal.scratch.write("image: c:1\n", to: "d/.github/workflows/x.yaml")
        let outcome = try await terminal.drayage("images", "d")
        #expect(
            outcome.outputText.split(separator: "\n").map { $0.split(separator: "#")[1] } == [
                " d/a/x.json:1 image", " d/b.yml:1 image",
            ]
        )
    }

    // MARK: - What is no image

    @Test func `what should name an image and does not is an error with its place`() async throws {
        let text = "services:\n  web: {image: 'acme/web:${TAG}'}\n  db: {image: 'postgres:16'}\n"
        try terminal.scratch.write(text, to: "compose.yaml")
        let outcome = try await terminal.drayage("images", "compose.yaml")
        #expect(outcome.status == 2)
        #expect(outcome.outputText.hasPrefix("docker.io/library/postgres:16  # compose.yaml:3 service db"))
        #expect(
            outcome.errorText.hasPrefix(
                "error: compose.yaml:2: \"acme/web:${TAG}\" (services.web.image): it is a variable; "
            )
        )
        let ignoring = try await terminal.drayage("images", "--ignore-unparsed", "compose.yaml")
        #expect(ignoring.status == 0)
        #expect(ignoring.errorText.hasPrefix("passed over: compose.yaml:2: "))
        // A bundle of the rest is made only where that is wanted.
        let bundle = try await terminal.drayage("bundle", "-f", "compose.yaml", "--dry-run")
        #expect(bundle.status == 64)
        #expect(bundle.errorText.contains("compose.yaml:2: \"acme/web:${TAG}\""))
    }

    @Test func `what is printed of a file is safe`() async throws {
        let outcome = try await terminal.drayage("images", "-", input: "image: \"a\\e[2Jb\"\nx\\e: {image: 'c:1'}\n")
        #expect(!outcome.errorText.contains("\u{1b}"))
        #expect(!outcome.outputText.contains("\u{1b}"))
        #expect(outcome.errorText.contains(#"\u{1B}[2J"#))
    }

    // MARK: - Rewriting

    @Test func `a rewritten file is the same but for the names, and back again`() async throws {
        try terminal.scratch.write(Self.rendered, to: "web.yaml")
        let rewritten = try await terminal.drayage("images", "--rewrite", "site:5000/m", "--keep-host", "web.yaml")
        #expect(rewritten.status == 0, "\(rewritten.errorText)")
        let expected = Self.rendered
            .replacingOccurrences(of: "image: busybox", with: "image: site:5000/m/docker.io/library/busybox")
            .replacingOccurrences(of: "quay.io/acme/web", with: "site:5000/m/quay.io/acme/web")
        #expect(rewritten.outputText == expected)
        // What is in the target already stays.
        let again = try await terminal.drayage(
            "images",
            "--rewrite",
            "site:5000/m",
            "--keep-host",
            "-",
            input: expected
        )
        #expect(again.outputText == expected)
        let arguments = ["images", "--rewrite", "site:5000/m", "--keep-host", "--original", "-"]
        let original = try await terminal.command(arguments, input: expected).run()
        #expect(
            original.outputText
                == Self.rendered.replacingOccurrences(of: "image: busybox", with: "image: docker.io/library/busybox")
        )
    }

    @Test func `several files are one stream`() async throws {
        try terminal.scratch.write("image: a:1", to: "a.yaml")
        try terminal.scratch.write("---\nimage: b:1\n", to: "b.yaml")
        let outcome = try await terminal.drayage("images", "--rewrite", "site.io", "a.yaml", "b.yaml", "a.yaml")
        #expect(
            outcome.outputText
                == "image: site.io/library/a:1\n---\nimage: site.io/library/b:1\n---\nimage: site.io/library/a:1"
        )
    }

    /// Half of it would be applied to a cluster.
    @Test func `nothing is printed where something cannot be rewritten`() async throws {
        let input = "image: a:1\nimages: ['${X}']\n"
        let outcome = try await terminal.drayage("images", "--rewrite", "site.io", "-", input: input)
        #expect(outcome.status == 2)
        #expect(outcome.outputText == "")
        let ignoring = try await terminal.command(
            ["images", "--rewrite", "site.io", "--ignore-unparsed", "-"],
            input: input
        ).run()
        #expect(ignoring.outputText == "image: site.io/library/a:1\nimages: ['${X}']\n")
    }

    // MARK: - The other commands

    @Test func `bundle and prune take the same files`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 1500)
        let (web, other) = (try builder.image(), try builder.image())
        let name = try source.add(web, "acme/web")
        try source.add(other, "acme/other")
        try terminal.scratch.write("services: {web: {image: '\(name)'}}\n", to: "compose.yaml")
        let bundle = try await terminal.drayage("bundle", "-f", "compose.yaml", "-o", "b.tar")
        #expect(bundle.status == 0, "\(bundle.errorText)")
        #expect(try await terminal.drayage("list", "b.tar").outputText.contains(name))
        let prune = try await terminal.drayage("prune", source.address, "-f", "compose.yaml", "--dry-run")
        #expect(prune.outputText.contains("acme/other"))
        // What names no image requires nothing.
        try terminal.scratch.write("services: {}\n", to: "empty.yaml")
        let empty = try await terminal.drayage("prune", source.address, "-f", "empty.yaml", "--dry-run")
        #expect(empty.status == 64)
        #expect(empty.errorText.contains("empty.yaml holds no reference, so it requires nothing"))
    }
}
