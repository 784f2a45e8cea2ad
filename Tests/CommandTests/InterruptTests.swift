import Foundation
import TestSupport
import Testing

/// Interrupt anything: nothing that is not whole is left under a name that counts, and the same command goes on.
@Suite struct InterruptTests {
    private let terminal: Terminal
    private let site: StallingSite
    private let image: TestImage
    private let layer: TestBlob
    private let name: String

    /// So much of the layer comes before it stalls.
    private static let stallByteCount = 600_000
    private static let files = ["bundle.tar.partial", "bundle.tar.partial.journal"]

    init() throws {
        (terminal, site) = (try Terminal(), try StallingSite())
        var builder = ImageBuilder(seed: 320)
        layer = try builder.opaqueLayer(byteCount: 1_000_000)
        image = try builder.image(layers: [layer])
        name = try site.add(image, "app")
    }

    /// Starts a bundle, and waits until no more of it comes.
    private func startBundle(_ options: [String] = []) async throws -> RunningCommand {
        site.set(.transfer(.stalled(after: Self.stallByteCount)), of: layer)
        let running = try terminal.command(["bundle", name, "-o", "bundle.tar"] + options).start()
        let config = try #require(image.config)
        let isThere = { [scratch = terminal.scratch] in
            let partial = Self.files[0]
            return try scratch.partial(partial, holds: Self.stallByteCount, of: layer)
                && scratch.partial(partial, holds: try config.bytes.count, of: config)
        }
        try await until(isThere)
        #expect(try terminal.scratch.names() == Self.files)
        return running
    }

    /// Runs the same command to its end: it asks for nothing but the rest of the layer.
    private func finishBundle() async throws {
        site.set(nil, of: layer)
        var outcome: Outcome?
        let requests = try await site.requests {
            outcome = try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        }
        let told = try #require(outcome).errorText
        let whole =
            /going on with an interrupted bundle, of which (?<kept>[0-9]{3} kB) is there\n2 blobs, [0-9]{3} kB to go\n(.*\n)*bundle\.tar: 1 image, 2 blobs, 1\.01 MB \((?<told>[0-9]{3} kB) from an interrupted run\)\n/
        let match = try #require(try whole.wholeMatch(in: told), "\(told)")
        #expect(match.kept == match.told)
        let blobs = requests.filter { $0.request.path.contains("/blobs/") }
        #expect(blobs.map(\.name) == ["\(layer.digest)"])
        // 64 KiB are noted together, and what was being written is not noted yet.
        let start = blobs.first?.start ?? 0
        #expect((Self.stallByteCount - (128 << 10)...Self.stallByteCount).contains(start))
        #expect(!requests.contains { $0.isOfManifest })
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    /// The signals by which a user or a system ends a command.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `a bundle that is interrupted keeps what it has, and the same command fetches the rest`(
        signal: Int32
    ) async throws {
        let running = try await startBundle()
        running.signal(signal)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        #expect(outcome.outputText == "")
        let lines = [
            "2 blobs, 1.00 MB to go",
            "what has been fetched is kept in bundle.tar.partial; the same command goes on from there",
            "error: interrupted; the same command goes on where this one ended",
        ]
        #expect(outcome.messages == lines.map { $0 + "\n" }.joined())
        #expect(try terminal.scratch.names() == Self.files)
        try await finishBundle()
    }

    @Test func `an interruption is an error for quiet, and is reported in the document, too`() async throws {
        let running = try await startBundle(["-q", "--json"])
        running.signal(SIGINT)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        #expect(outcome.errorText == "error: interrupted; the same command goes on where this one ended\n")
        let report = try ReportDocument(outcome.output)
        #expect(report.outcome == "failed")
        #expect(report.failures.count == 1)
        try await finishBundle()
    }

    @Test func `a bundle that was killed is gone on with, and is none before`() async throws {
        let running = try await startBundle()
        running.signal(SIGKILL)
        #expect(running.wait().status == 128 + SIGKILL)
        #expect(try terminal.scratch.names() == Self.files)
        // It is no bundle, whatever is in it.
        #expect(try await terminal.drayage("verify", "bundle.tar.partial").status != 0)
        try await finishBundle()
    }

    @Test func `a bundle that is interrupted before it has anything leaves nothing`() async throws {
        for blob in image.blobs { site.set(.transfer(.stalledBeforeHead), of: blob) }
        let running = try terminal.command(["bundle", name, "-o", "bundle.tar"]).start()
        try await until { site.requests.contains { $0.isOfBlob } }
        running.signal(SIGINT)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        #expect(!outcome.errorText.contains("is kept"))
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `a push that is interrupted leaves no tag, and the same command completes it`() async throws {
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        let stalls = Flag()
        stalls.set(true)
        let target = try Source { request in
            stalls.isSet && request.method == "PUT" ? Answer(201).sent(.stalledBeforeHead) : nil
        }
        let running = try terminal.command(["push", "bundle.tar", target.address, "-v"]).start()
        try await until { target.registry.count("PUT", containing: "/v2/app/blobs/") > 0 }
        running.signal(SIGINT)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        #expect(outcome.outputText == "")
        #expect(
            outcome.errorText.hasSuffix(
                "error: interrupted; what has arrived is not sent again by the same command\n"
            ),
            "\(outcome.errorText)"
        )
        #expect(target.content.digest(ofTag: "1", repository: "app") == nil)
        stalls.set(false)
        try await terminal.succeed("push", "bundle.tar", target.address)
        #expect(target.content.digest(ofTag: "1", repository: "app") == image.digest)
    }
}
