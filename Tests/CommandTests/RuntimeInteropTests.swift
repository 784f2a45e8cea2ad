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

/// Debian's containerd with everything of its own in a scratch directory; it ends with the value.
private final class Containerd {
    let address: String
    private let running: RunningCommand
    private let scratch: ScratchDirectory

    init(in scratch: ScratchDirectory) throws {
        self.scratch = scratch
        address = scratch.path("containerd.sock")
        let configuration = """
            version = 2
            root = "\(scratch.path("containerd/root"))"
            state = "\(scratch.path("containerd/state"))"
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
            [grpc]
            address = "\(address)"
            """
        let path = try scratch.write(configuration, to: "containerd/config.toml")
        running = try Command("containerd", ["--config", path], directory: scratch.path).start()
        guard running.waitForErrors(containing: "containerd successfully booted") else {
            running.signal(SIGTERM)
            throw StartError(log: running.wait().errorText)
        }
    }

    deinit {
        running.signal(SIGTERM)
        _ = running.wait()
    }

    private struct StartError: Error, CustomStringConvertible {
        let log: String
        var description: String { "containerd did not start: \(log)" }
    }
}
