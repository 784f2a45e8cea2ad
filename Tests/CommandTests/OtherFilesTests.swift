import Foundation
import OCI
import TestSupport
import Testing

/// Files that other tools made: read, verified, pushed and taken into a bundle.
@Suite(.tags(.interop), .serialized) struct OtherFilesTests {
    private let terminal: Terminal
    private let registry: DockerRegistry
    private let image: TestImage
    private let name: String

    init() async throws {
        (terminal, registry) = (try Terminal(), try DockerRegistry())
        var builder = ImageBuilder(seed: 1530)
        image = try builder.image(layers: [builder.layer(), builder.layer()])
        name = try registry.add(image, "team/app")
    }

    private func run(_ tool: String, _ arguments: String...) async throws {
        let outcome = try await Command(
            tool,
            arguments,
            environment: ["TMPDIR": terminal.scratch.path],
            directory: terminal.scratch.path
        ).run()
        #expect(outcome.status == 0, "\(tool) \(arguments): \(outcome.errorText)")
    }

    /// What makes it, and whether the image keeps its digest in it.
    private enum Form: String, CaseIterable {
        case layoutTar = "oci-archive"
        case layoutDirectory = "oci"
        case docker = "docker-archive"
        case podman
        case podmanLayout

        var keepsDigest: Bool { self == .layoutTar || self == .layoutDirectory }
    }

    private func make(_ form: Form) async throws -> (file: String, options: [String]) {
        let from = "docker://\(name)"
        switch form {
        case .layoutTar, .layoutDirectory, .docker:
            try await run("skopeo", "copy", "--src-tls-verify=false", from, "\(form.rawValue):made:\(name)")
        case .podman, .podmanLayout:
            let podman = ["--root", terminal.scratch.path("podman"), "--runroot", terminal.scratch.path("run")]
            let driver = podman + ["--storage-driver", "vfs"]
            func run(_ arguments: [String]) async throws {
                let command = Command("podman", driver + arguments, environment: ["TMPDIR": terminal.scratch.path])
                let outcome = try await command.run()
                #expect(outcome.status == 0, "podman \(arguments): \(outcome.errorText)")
            }
            try await run(["pull", "-q", "--tls-verify=false", name])
            let format = form == .podman ? "docker-archive" : "oci-archive"
            try await run(["save", "-q", "--format", format, "-o", terminal.scratch.path("made"), name])
        }
        return ("made", [])
    }

    @Test(arguments: Form.allCases) private func `it is listed, verified, pushed and bundled`(form: Form) async throws {
        let (file, options) = try await make(form)
        func drayage(_ command: String, _ arguments: String...) async throws -> Outcome {
            let outcome = try await terminal.command([command] + arguments + options).run()
            #expect(outcome.status == 0, "\(command): \(outcome.errorText)")
            return outcome
        }
        let list = try await drayage("list", file)
        #expect(list.outputText.contains(name))
        #expect(list.outputText.contains("linux/amd64"))
        if form.keepsDigest { #expect(list.outputText.contains("\(image.digest)")) }
        #expect(
            try await drayage("verify", file, "--deep").messages.contains("all verified, with the content of 2 layers")
        )
        let target = try DockerRegistry()
        let digest = try #require(try await drayage("push", file, target.address).outputText.split(separator: " ").last)
        #expect(list.outputText.contains(digest.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(try await drayage("push", file, target.address).outputText.hasPrefix("up-to-date"))
        _ = try await drayage("verify", file, "--at", target.address)
        // What arrived is the image: its config says what its layers hold.
        let config = try Command(
            "skopeo",
            ["inspect", "--config", "--raw", "--tls-verify=false", "docker://\(target.address)/team/app:1"]
        ).check()
        #expect(
            String(decoding: config.output, as: UTF8.self).contains(try #require(image.layers[1].diffID).description)
        )
        _ = try await drayage("bundle", "--from", file, "-o", "b.tar")
        #expect(try await drayage("verify", "b.tar", "--deep").messages.contains("all verified"))
        #expect(
            try await drayage("list", "b.tar").outputText.contains(
                digest.trimmingCharacters(in: .whitespacesAndNewlines)
            )
        )
        // The same once more gives the same.
        _ = try await drayage("bundle", "--from", file, "-o", "c.tar")
        #expect(try terminal.scratch.read("b.tar") == terminal.scratch.read("c.tar"))
    }

    @Test(arguments: ["gzip", "zstd", "xz"]) func `a compressed one is unpacked where that is wanted`(tool: String)
        async throws
    {
        try await run("skopeo", "copy", "--src-tls-verify=false", "docker://\(name)", "docker-archive:made:\(name)")
        let arguments = tool == "zstd" ? ["-qc"] : ["-c"]
        let packed = try Command(tool, arguments + [terminal.scratch.path("made")]).check().output
        try terminal.scratch.write(packed, to: "packed")
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("spool"),
            withIntermediateDirectories: true
        )
        let target = try DockerRegistry()
        let outcome = try await terminal.drayage("push", "packed", target.address, "--spool", "spool")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(outcome.messages.contains("unpacking packed, which takes "))
        #expect(try terminal.scratch.names(in: "spool") == [])
        #expect(try target.storage.digest(ofTag: "1", repository: "team/app") != nil)
    }

    @Test func `umoci's layout has tags for names, and --name makes them whole`() async throws {
        try await run("umoci", "init", "--layout", "made")
        try await run("umoci", "new", "--image", "made:3.20")
        let target = try DockerRegistry()
        let refused = try await terminal.drayage("push", "made", target.address)
        #expect(refused.status == 1)
        #expect(refused.errorText.contains("has a tag for a name and no repository; --name says which it is"))
        let outcome = try await terminal.drayage("push", "made", target.address, "--name", "alpine")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(try target.storage.digest(ofTag: "3.20", repository: "library/alpine") != nil)
    }

    @Test func `a layout in a directory is served`() async throws {
        try await run("skopeo", "copy", "--src-tls-verify=false", "docker://\(name)", "oci:made:\(name)")
        let server = try ServeProcess(terminal, ["made"])
        try await run(
            "skopeo",
            "copy",
            "--src-tls-verify=false",
            "docker://\(server.address)/team/app:1",
            "oci:again:x"
        )
        #expect(terminal.scratch.contains("again/blobs/sha256/\(image.digest.hex)"))
    }
}
