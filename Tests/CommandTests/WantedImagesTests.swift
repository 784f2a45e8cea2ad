import Foundation
import OCI
import TestSupport
import Testing

/// Of images what is wanted, signed as it must be, and the same again: as a user sees it.
@Suite struct WantedImagesTests {
    private let images: ToolImages
    private var terminal: Terminal { images.terminal }

    init() async throws { images = try await ToolImages() }

    private func digest(_ tag: String = "1", _ repository: String = "app") throws -> Digest {
        try #require(try images.registry.storage.digest(ofTag: tag, repository: repository))
    }

    @Test func `what an image lacks, and what it has, is told`() async throws {
        let outcome = try await terminal.drayage("bundle", images.app, "-o", "bundle.tar", "-p", "linux/s390x")
        #expect(outcome.status == 1)
        #expect(
            outcome.errorText.contains("error: \(images.app) has no linux/s390x; it has linux/amd64, linux/arm64\n"),
            "\(outcome.errorText)"
        )
        #expect(try terminal.scratch.names(in: ".").contains("bundle.tar") == false)
    }

    @Test func `both digests are told of a smaller index`() async throws {
        let bundled = try await terminal.drayage("bundle", images.app, "-o", "bundle.tar", "-p", "linux/arm64", "-q")
        #expect(bundled.status == 0, "\(bundled.errorText)")
        let listed = try await terminal.drayage("list", "bundle.tar")
        let lines = listed.outputText.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.first == ["REFERENCE", "PLATFORMS", "SIZE", "DIGEST", "ORIGINAL"])
        #expect(lines.last?.last == (try digest().description))
        let planned = try await terminal.drayage("bundle", images.app, "--dry-run", "-p", "linux/arm64")
        let digests = "\(try digest()) -> \(lines.last?.dropLast().last ?? "")\n"
        #expect(planned.outputText.hasSuffix(digests), "\(planned.outputText)")
        #expect(
            planned.errorText.contains("1 manifest refers to the index that it has with all platforms"),
            "\(planned.errorText)"
        )
    }

    @Test func `what is served has the platforms that were taken`() async throws {
        try await terminal.succeed("bundle", images.app, "-o", "bundle.tar", "-p", "linux/arm64")
        let server = try ServeProcess(terminal, ["bundle.tar"])
        let source = "docker://\(server.address)/app:1"
        try await images.run("skopeo", ["copy", "--all", "--src-tls-verify=false", source, "dir:served"])
        #expect(server.end() == 0)
    }

    /// The signature that arrives is the one that cosign would check: by its tag, over the digest of what is there.
    @Test func `a signature arrives, and openssl finds it good`() async throws {
        try await terminal.succeed("bundle", images.app, "-o", "bundle.tar", "--verify-key", "key.pub")
        let target = try DockerRegistry()
        try await terminal.succeed("push", "bundle.tar", target.address)
        let signed = try #require(try target.storage.digest(ofTag: "1", repository: "app"))
        let manifest = try target.storage.digest(ofTag: "sha256-\(signed.hex).sig", repository: "app")
        let bytes = try target.storage.bytes(#require(manifest))
        let document = try Document(bytes: bytes, declaredType: .ociManifest)
        let layer = try #require(document.blobs.last)
        let payload = try target.storage.bytes(layer.digest)
        #expect(String(decoding: payload, as: UTF8.self).contains("\"docker-manifest-digest\":\"\(signed)\""))
        let text = try #require(layer.annotations?["dev.cosignproject.cosign/signature"])
        let signature = [UInt8](try #require(Data(base64Encoded: text)))
        try terminal.scratch.write(signature, to: "signature")
        try terminal.scratch.write(payload, to: "payload")
        let lines = try await images.run(
            "openssl",
            ["dgst", "-sha256", "-verify", "key.pub", "-signature", "signature", "payload"]
        )
        #expect(lines == ["Verified OK"])
    }

    @Test func `what nobody has signed stays out, and the key that is missed is named`() async throws {
        let name = try #require(images.parts["amd64"])
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar", "--verify-key", "key.pub")
        #expect(outcome.status == 3)
        let digest = try digest("amd64", "parts")
        let message =
            "error: \(name) with the digest \(digest) must be signed by key.pub to enter the bundle; "
            + "there is no signature of it\n"
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        // For its repository nothing is demanded.
        let pattern = "\(images.registry.address)/app=key.pub"
        try await terminal.succeed("bundle", name, images.app, "-o", "bundle.tar", "--verify-key", pattern)
    }

    @Test func `a lock gives the same bundle, also where tags have moved`() async throws {
        let list = try terminal.scratch.write("\(images.app)\n\(images.parts.values.sorted()[0])\n", to: "images.txt")
        let locking = ["bundle", "-f", list, "--lock", "images.lock", "-p", "linux/amd64"]
        #expect(try await terminal.command(locking + ["--dry-run"]).run().status == 0)
        let planned = try terminal.scratch.read("images.lock")
        #expect(try await terminal.command(locking + ["-o", "one.tar"]).run().status == 0)
        #expect(try terminal.scratch.read("images.lock") == planned)
        try images.registry.storage.setTag("1", to: try digest("amd64", "parts"), repository: "app")
        try await terminal.succeed("bundle", "--lock", "images.lock", "--locked", "-o", "two.tar")
        #expect(try terminal.scratch.read("two.tar") == terminal.scratch.read("one.tar"))
        try await terminal.succeed("bundle", "-f", list, "--lock", "images.lock", "--locked", "-o", "three.tar")
        #expect(try terminal.scratch.read("three.tar") == terminal.scratch.read("one.tar"))
        #expect(try terminal.scratch.read("images.lock") == planned)
        let other = try await terminal.drayage(
            "bundle",
            "alpine",
            "--lock",
            "images.lock",
            "--locked",
            "-o",
            "four.tar"
        )
        #expect(other.status == 64)
        #expect(other.errorText.contains("the list and the lock differ: docker.io/library/alpine:latest is not locked"))
    }

    @Test func `what is no lock is not replaced by one, and a lock that would lack something is not written`()
        async throws
    {
        let list = try terminal.scratch.write("\(images.app)\nregistry.invalid/gone:1\n", to: "images.txt")
        let outcome = try await terminal.drayage("bundle", "-f", list, "-o", "bundle.tar", "--lock", "images.txt")
        #expect(outcome.status == 1)
        let message =
            "error: replacing the lock images.txt: images.txt is no lock of drayage; remove it, or name another file\n"
        #expect(outcome.errorText == message)
        #expect(try terminal.scratch.read("images.txt") == Array("\(images.app)\nregistry.invalid/gone:1\n".utf8))
        let same = try await terminal.drayage("bundle", images.app, "-o", "bundle.tar", "--lock", "./bundle.tar")
        #expect(same.status == 1)
        #expect(same.errorText.contains("error: replacing the lock ./bundle.tar: "), "\(same.errorText)")
        try await terminal.succeed("verify", "bundle.tar")
        try await #require(Command("rm", [terminal.scratch.path("bundle.tar")]).run().status == 0)
        let nowhere = try await terminal.drayage("bundle", "-f", list, "-o", "bundle.tar", "--lock", "no/where")
        #expect(nowhere.errorText == "error: writing the lock no/where: no file can be made in its directory\n")
        let partial = try await terminal.drayage(
            "bundle",
            "-f",
            list,
            "-o",
            "bundle.tar",
            "--lock",
            "l",
            "--keep-going"
        )
        #expect(partial.status == 2)
        #expect(partial.errorText.contains("l is not written: it would lack what failed\n"), "\(partial.errorText)")
        #expect(!terminal.scratch.contains("l"))
    }

    @Test(arguments: [
        (["--lock", "none", "--locked"], "reading the lock none: no such file or directory"),
        (["alpine", "--verify-key", "none.pub"], "reading the key none.pub: no such file or directory"),
        (["alpine", "--verify-key", "a=none.pub"], "reading the key none.pub: no such file"),
    ])
    func `a file that cannot be read is named`(arguments: [String], message: String) async throws {
        let outcome = try await terminal.command(["bundle", "-o", "bundle.tar"] + arguments).run()
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("error: \(message)"), "\(outcome.errorText)")
    }

    @Test func `a sparse index that the registry refuses is explained`() async throws {
        try await terminal.succeed("bundle", images.app, "-o", "bundle.tar", "-p", "linux/amd64", "--sparse", "keep")
        let outcome = try await terminal.drayage("push", "bundle.tar", images.registry.address + "/inside")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("bundle it with --sparse strip, or have the registry allow it"))
        #expect(!images.registry.storage.repositories().contains("inside/app"))
    }
}
