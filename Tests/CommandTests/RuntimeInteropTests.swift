import Foundation
import OCI
import TestSupport
import Testing

/// Runtimes load what we write.
@Suite(.tags(.interop)) struct RuntimeInteropTests {
    @Test func `podman loads every tag of a bundle of many images`() async throws {
        let bundle = try await DebianBundle()
        let scratch = bundle.terminal.scratch
        let store = ["--root", scratch.path("podman"), "--runroot", scratch.path("run"), "--storage-driver", "vfs"]
        let loaded = try await bundle.run("podman", store + ["load", "-i", "bundle.tar"])
        let lines = loaded.outputText.split(separator: "\n").map(String.init)
        #expect(lines.sorted() == bundle.references.map { "Loaded image: \($0)" })
        let format = "{{.Repository}}:{{.Tag}} {{.ID}}"
        let listed = try await bundle.run("podman", store + ["images", "--no-trunc", "--format", format])
        // The id of an image is the digest of its config.
        let expected = try bundle.images.map { "\(bundle.reference($0)) \(try #require($0.image64.config).digest)" }
        #expect(listed.outputText.split(separator: "\n").map(String.init).sorted() == expected.sorted())
    }

    /// What refers to an image has no name, and is nobody's image.
    @Test func `signed images are loaded by all as if nobody had signed them`() async throws {
        let (terminal, registry) = (try Terminal(), try DockerRegistry())
        let scratch = terminal.scratch
        var builder = ImageBuilder(seed: 850)
        let signed = try builder.multiPlatform()
        let names = [try registry.add(signed, "signed"), try registry.add(builder.image(), "plain")]
        let sbom = try builder.artifact(type: "application/spdx+json", subject: signed)
        try registry.storage.add(sbom, repository: "signed")
        let list = try ImageBuilder().index(of: [sbom])
        try registry.storage.add(list, repository: "signed", tag: "sha256-\(signed.digest.hex)")
        let cosign = try builder.artifact(type: "application/vnd.dev.cosign")
        try registry.storage.add(cosign, repository: "signed", tag: "sha256-\(signed.digest.hex).sig")
        try await terminal.succeed("bundle", names[0], names[1], "-o", "bundle.tar")
        let listed = try await terminal.drayage("list", "bundle.tar")
        #expect(listed.outputText.split(separator: "\n").first?.contains("REFERRERS") == true, "\(listed.outputText)")
        func run(_ tool: String, _ arguments: [String]) async throws -> [String] {
            let outcome = try await Command(tool, arguments, directory: scratch.path).run()
            #expect(outcome.status == 0, "\(tool): \(outcome.errorText)")
            return outcome.outputText.split(separator: "\n").map(String.init)
        }
        let store = ["--root", scratch.path("podman"), "--runroot", scratch.path("run"), "--storage-driver", "vfs"]
        let loaded = try await run("podman", store + ["load", "-i", "bundle.tar"])
        #expect(loaded.sorted() == names.map { "Loaded image: \($0)" }.sorted())
        for name in names {
            let target = "dir:\(scratch.path("copy"))"
            _ = try await run(
                "skopeo",
                ["copy", "--all", "--preserve-digests", "oci-archive:bundle.tar:\(name)", target]
            )
        }
        let containerd = try Containerd(in: scratch)
        let control = ["--address", containerd.address]
        _ = try await run("ctr", control + ["images", "import", "--no-unpack", "--all-platforms", "bundle.tar"])
        #expect(try await run("ctr", control + ["images", "ls", "-q"]) == names.sorted())
    }

    /// With every platform, and as it is by default.
    @Test(arguments: [["--all-platforms"], []])
    func `containerd imports every image under its name`(platforms: [String]) async throws {
        let bundle = try await DebianBundle()
        let containerd = try Containerd(in: bundle.terminal.scratch)
        let control = ["--address", containerd.address]
        // Unpacking is for a snapshotter, which a container may not have.
        _ = try await bundle.run("ctr", control + ["images", "import", "--no-unpack"] + platforms + ["bundle.tar"])
        let names = try await bundle.run("ctr", control + ["images", "ls", "-q"])
        #expect(names.outputText.split(separator: "\n").map(String.init) == bundle.references)
        let images = try await bundle.run("ctr", control + ["images", "ls"])
        for named in bundle.images {
            let line = images.outputText.split(separator: "\n").first { $0.hasPrefix(bundle.reference(named) + " ") }
            #expect(line?.contains(" \(named.image.digest) ") == true)
        }
        let content = try await bundle.run("ctr", control + ["content", "ls", "-q"])
        let stored = Set(content.outputText.split(separator: "\n").map(String.init))
        for named in bundle.images {
            #expect(stored.isSuperset(of: named.image64.blobs.map(\.digest.description)))
        }
    }
}
