import Foundation
import OCI
import TestSupport
import Testing

@Suite struct HarnessTests {
    @Test func `a command gives its output, its errors and its exit code`() async throws {
        let command = Command(
            "sh",
            ["-c", "cat; echo $WORD >&2; pwd; exit 7"],
            environment: ["WORD": "err"],
            input: Array("in ".utf8),
            directory: "/usr"
        )
        let outcome = try await command.run()
        #expect(outcome.status == 7)
        #expect(outcome.outputText == "in /usr\n")
        #expect(outcome.errorText == "err\n")
        #expect(outcome.peakResidentByteCount > 0)
    }

    @Test func `more output than a pipe holds is read on both streams`() async throws {
        let outcome = try await Command("sh", ["-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"]).run()
        #expect(outcome.output.count == 300_000)
        #expect(outcome.errors.count == 300_000)
    }

    @Test func `a started command can be watched and interrupted`() throws {
        let running = try Command("sh", ["-c", "echo ready; exec sleep 100"]).start()
        #expect(running.waitForOutput(containing: "ready"))
        running.signal(SIGINT)
        #expect(running.wait().status == 130)
        running.signal(SIGINT)
    }

    @Test func `a missing tool names its package`() {
        let error = #expect(throws: MissingToolError.self) { try Command("drayage-no-such-tool").start() }
        #expect(error?.description == "drayage-no-such-tool is not installed; apt-get install drayage-no-such-tool")
    }

    @Test func `a scratch directory is removed with everything in it`() throws {
        var scratch: ScratchDirectory? = try ScratchDirectory()
        let path = try #require(scratch).path
        try scratch?.write("text", to: "a/b")
        #expect(try scratch?.read("a/b") == Array("text".utf8))
        #expect(try scratch?.names() == ["a"])
        scratch = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `the same seed makes the same image`() throws {
        for family in ImageBuilder.Family.allCases {
            var (first, second) = (ImageBuilder(seed: 7, family: family), ImageBuilder(seed: 7, family: family))
            #expect(try first.multiPlatform(attested: true).digest == second.multiPlatform(attested: true).digest)
            #expect(try first.image().digest != ImageBuilder(seed: 8, family: family).withImage().digest)
        }
    }

    @Test func `a built layer is a tar that tar reads, and its diff id is the digest of the tar`() async throws {
        let scratch = try ScratchDirectory()
        let layer = try ImageBuilder().layer(files: [.init("etc/motd", Array("hello\n".utf8))])
        let path = try scratch.write(layer.bytes, to: "layer.tar.gz")
        #expect(try await Command("tar", ["-xzOf", path, "etc/motd"]).run().outputText == "hello\n")
        let archive = try await Command("gzip", ["-dc", path]).run().output
        #expect(layer.diffID == (try Digest.of(archive)))
    }

    @Test func `a large layer is written to a file with its digest`() async throws {
        let scratch = try ScratchDirectory()
        var builder = ImageBuilder(seed: 3)
        let layer = try builder.largeLayer(byteCount: 5 << 20, at: scratch.path("layer"))
        #expect(layer.descriptor.size == 5 << 20)
        #expect(try Digest.of(layer.bytes) == layer.digest)
        #expect(try await Command("tar", ["-tf", scratch.path("layer")]).run().outputText == "srv/large\n")
        #expect(try Gzip.compress(layer.bytes, level: 9).count > 5_200_000)
    }
}

extension ImageBuilder {
    fileprivate func withImage() throws -> TestImage {
        var builder = self
        return try builder.image()
    }
}
