import Foundation
import TestSupport
import Testing

/// Interrupt anything: nothing that is not whole is left under a name that counts, and the same command continues.
@Suite struct InterruptTests {
    private let terminal: Terminal
    private let source: Source
    private let stalls = Flag()
    private let image: TestImage
    private let name: String

    /// A registry whose layer begins to come, and then does not, as long as it stalls.
    init() throws {
        terminal = try Terminal()
        var builder = ImageBuilder(seed: 320)
        let layer = try builder.opaqueLayer(byteCount: 300_000)
        let bytes = try layer.bytes
        source = try Source { [stalls] request in
            guard stalls.isSet, request.path.hasSuffix("/blobs/\(layer.digest)") else { return nil }
            return Answer(body: bytes).sent(.stalled(after: 100_000))
        }
        image = try builder.image(layers: [layer])
        name = try source.add(image, "app")
    }

    private func startBundle() throws -> RunningCommand {
        stalls.set(true)
        let running = try terminal.command(["bundle", name, "-o", "bundle.tar"]).start()
        #expect(running.waitForErrors(containing: "2 blobs, 300 kB to go\n"))
        #expect(try terminal.scratch.names() == ["bundle.tar.partial"])
        return running
    }

    /// The signals by which a user or a system ends a command.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `a bundle that is interrupted leaves no file, and the next run is as if nothing had been`(
        signal: Int32
    ) async throws {
        let running = try startBundle()
        running.signal(signal)
        expect(running.wait(), status: 130, errors: "2 blobs, 300 kB to go\nerror: interrupted; no file was left\n")
        #expect(try terminal.scratch.names() == [])
        stalls.set(false)
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `an interruption is reported in the document, too`() async throws {
        stalls.set(true)
        let running = try terminal.command(["bundle", name, "-o", "bundle.tar", "--json"]).start()
        #expect(running.waitForErrors(containing: "2 blobs"))
        running.signal(SIGINT)
        let outcome = running.wait()
        #expect(outcome.status == 130)
        let report = try ReportDocument(outcome.output)
        #expect(report.outcome == "failed")
        #expect(report.failures.count == 1)
    }

    @Test func `a bundle that was killed leaves a partial file, which the next run takes over and completes`()
        async throws
    {
        let running = try startBundle()
        running.signal(SIGKILL)
        #expect(running.wait().status == 128 + SIGKILL)
        #expect(try terminal.scratch.names() == ["bundle.tar.partial"])
        // It is no bundle, whatever is in it.
        #expect(try await terminal.drayage("verify", "bundle.tar.partial").status != 0)
        stalls.set(false)
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
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
