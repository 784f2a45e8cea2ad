import OCI
import TestSupport
import Testing

/// A bundle of real images, made by the command from a real registry.
struct DebianBundle {
    let terminal: Terminal
    let registry: DockerRegistry
    let images: [DebianImages.Named]

    /// Bundles the images as `bundle.tar`.
    init() async throws {
        terminal = try Terminal()
        registry = try DockerRegistry()
        images = try DebianImages.make()
        for named in images { try registry.storage.add(named.image, repository: named.repository, tag: named.tag) }
        try await bundle(images, as: "bundle.tar")
    }

    /// Bundles some of the images.
    func bundle(_ images: [DebianImages.Named], as file: String) async throws {
        let outcome = try await terminal.command(["bundle", "-o", file, "-q"] + images.map(reference)).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
    }

    /// The name of an image in the bundle.
    func reference(_ named: DebianImages.Named) -> String { "\(registry.address)/\(named.name)" }

    /// Every name, sorted.
    var references: [String] { images.map(reference).sorted() }

    /// Runs a tool in the terminal's directory, where its temporary files go, too; it must succeed.
    func run(_ tool: String, _ arguments: [String], location: SourceLocation = #_sourceLocation) async throws -> Outcome
    {
        let outcome = try await Command(
            tool,
            arguments,
            environment: ["TMPDIR": terminal.scratch.path],
            directory: terminal.scratch.path
        ).run()
        #expect(outcome.status == 0, "\(tool): \(outcome.errorText)", sourceLocation: location)
        return outcome
    }
}

extension DebianImages.Named {
    /// Whether it is in the OCI form.
    var isOCI: Bool { tag == "stable" }

    /// The image for this platform, which is what a reader that knows one platform only takes.
    var image64: TestImage { image.children.first ?? image }
}
