import OCI
import TestSupport
import Testing

/// Mirrors as a user names them: on the command line, and where Podman, Skopeo and Buildah read them.
@Suite struct MirrorCommandTests {
    private let terminal: Terminal
    private let source: Source
    private let mirror: Source
    private let image: TestImage
    private let name: String

    init() throws {
        (terminal, source, mirror) = (try Terminal(), try Source(), try Source())
        var builder = ImageBuilder(seed: 720)
        image = try builder.multiPlatform()
        name = try source.add(image, "team/app")
        try mirror.add(image, "hub/team/app")
    }

    private func conf(_ text: String = "") throws -> String {
        try terminal.scratch.write(
            """
            [[registry]]
            location = "\(source.address)"
            [[registry.mirror]]
            location = "\(mirror.address)/hub"
            \(text)
            """,
            to: "registries.conf"
        )
    }

    @Test func `a bundle and a repair from a mirror of the command line`() async throws {
        try await terminal.succeed("bundle", name, "-o", "direct.tar")
        let count = source.registry.requests.count
        let option = ["--mirror", "\(source.address)=\(mirror.address)/hub"]
        let outcome = try await terminal.command(["bundle", name, "-o", "bundle.tar", "--json"] + option).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let report = try ReportDocument(outcome.output)
        #expect(report.images.map(\.reference) == [name])
        #expect(report.images.map(\.source) == ["\(mirror.address)/hub/team/app"])
        #expect(report.notes == [])
        let bytes = try terminal.scratch.read("bundle.tar")
        #expect(try bytes == terminal.scratch.read("direct.tar"))

        var damaged = bytes
        for digest in [image.blobs[0].digest, image.children[0].digest] {
            let entry = try #require(TarBytes.entries(of: bytes).first { $0.path.hasSuffix(digest.hex) })
            damaged[entry.range.lowerBound] ^= 1
        }
        try terminal.scratch.write(damaged, to: "bundle.tar")
        let repaired = try await terminal.command(["repair", "bundle.tar", "--json"] + option).run()
        #expect(repaired.status == 0, "\(repaired.errorText)")
        #expect(try terminal.scratch.read("bundle.tar") == bytes)
        let blobs = try #require(try ReportDocument(repaired.output).blobs)
        #expect(blobs.map(\.source) == ["\(mirror.address)/hub/team/app", "\(mirror.address)/hub/team/app"])
        // What refers to the image is for the source to say, and nothing else was asked of it.
        let lines = source.registry.lines.dropFirst(count)
        #expect(lines.allSatisfy { $0.contains("/referrers/") || $0.hasSuffix("/tags/list") }, "\(lines)")
    }

    @Test func `mirrors of the file that the environment names`() async throws {
        let environment = ["CONTAINERS_REGISTRIES_CONF": try conf()]
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar", environment: environment)
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(source.registry.lines.allSatisfy { $0.contains("/referrers/") || $0.hasSuffix("/tags/list") })
        #expect(mirror.registry.count("GET", containing: "/hub/team/app/") > 0)
    }

    @Test func `a mirror that is down is told once, and the source gives all`() async throws {
        let refusing = try ScriptedRegistry.refusingAddress()
        let outcome = try await terminal.drayage(
            "bundle",
            name,
            "-o",
            "bundle.tar",
            "--mirror",
            "\(source.address)=\(refusing)"
        )
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let lines = outcome.messages.split(separator: "\n").filter { $0.contains(refusing) }
        #expect(lines.count == 1, "\(outcome.errorText)")
        #expect(lines.first?.hasPrefix("the mirror \(refusing) failed: ") == true)
        #expect(lines.first?.contains("connection refused") == true)
    }

    @Test func `a repair goes on at the source where the mirror has not what it needs`() async throws {
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        let bytes = try terminal.scratch.read("bundle.tar")
        var damaged = bytes
        let entry = try #require(TarBytes.entries(of: bytes).first { $0.path.hasSuffix(image.blobs[0].digest.hex) })
        damaged[entry.range.lowerBound] ^= 1
        try terminal.scratch.write(damaged, to: "bundle.tar")
        let empty = try Source()
        let environment = [
            "CONTAINERS_REGISTRIES_CONF": try terminal.scratch.write(
                "[[registry]]\nlocation = \"\(source.address)\"\n[[registry.mirror]]\nlocation = \"\(empty.address)\"",
                to: "empty.conf"
            )
        ]
        let outcome = try await terminal.drayage("repair", "bundle.tar", environment: environment)
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(empty.registry.lines == ["GET /v2/team/app/blobs/\(image.blobs[0].digest)"])
        #expect(try terminal.scratch.read("bundle.tar") == bytes)
    }

    @Test func `a file that cannot be read ends it before anything is asked for`() async throws {
        let path = try conf("insecure = maybe")
        for arguments in [["bundle", name, "-o", "bundle.tar"], ["bundle", name, "--dry-run"]] {
            let outcome = try await terminal.command(arguments, environment: ["CONTAINERS_REGISTRIES_CONF": path]).run()
            #expect(outcome.status == 1)
            #expect(
                outcome.errorText.hasPrefix("error: reading the mirrors in \(path): line 5: "),
                "\(outcome.errorText)"
            )
        }
        #expect(source.registry.requests.isEmpty)
        #expect(try terminal.scratch.names() == ["registries.conf"])
    }
}
