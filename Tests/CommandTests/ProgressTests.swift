import Foundation
import OCI
import TestSupport
import Testing

/// What a person sees while something runs.
@Suite struct ProgressTests {
    @Test func `on a terminal the picture has the whole and what is in flight, and is taken away`() async throws {
        let stalls = Flag()
        stalls.set(true)
        let terminal = try Terminal()
        var builder = ImageBuilder(seed: 330)
        let layer = try builder.opaqueLayer(byteCount: 2_000_000)
        let bytes = try layer.bytes
        let source = try Source { request in
            guard stalls.isSet, request.path.hasSuffix("/blobs/\(layer.digest)") else { return nil }
            return Answer(body: bytes).sent(.stalled(after: 1_000_000))
        }
        let name = try source.add(builder.image(layers: [layer]), "app")
        let command = terminal.command(["bundle", name, "-o", "bundle.tar"])
        // `script` gives it a terminal.
        let line = ([command.tool] + command.arguments).map { "'\($0)'" }.joined(separator: " ")
        let running = try Command(
            "script",
            ["--quiet", "--return", "--command", line, "/dev/null"],
            environment: command.environment.merging(["TERM": "xterm"]) { $1 },
            directory: command.directory
        ).start()
        let short = "sha256:\(layer.digest.hex.prefix(12))"
        #expect(running.waitForOutput(containing: "\(short) [########--------] 1.00 MB of 2.00 MB"))
        #expect(running.waitForOutput(containing: "50% 1.00 MB of 2.00 MB, 1 of 2 blobs"))
        // It is drawn again over itself.
        #expect(running.waitForOutput(containing: "\u{1b}[2A\u{1b}[J"))
        source.registry.stop()
        let text = running.wait().outputText
        let end = try #require(text.firstRange(of: "what has been fetched is kept in bundle.tar.partial; "))
        #expect(text[..<end.lowerBound].hasSuffix("\u{1b}[J"))
        #expect(text[end.upperBound...].contains("error: fetching the blob"))
        #expect(!text[end.upperBound...].contains("\u{1b}"))
        #expect(try terminal.scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
    }

    @Test func `nowhere else is there a control character`() async throws {
        let (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 331)
        let name = try source.add(builder.multiPlatform(), "app")
        for arguments in [
            ["bundle", name, "-o", "b.tar"], ["push", "b.tar", source.address + "/p"], ["list", "b.tar"],
        ] {
            let outcome = try await terminal.command(arguments, environment: ["TERM": "xterm"]).run()
            #expect(outcome.status == 0)
            for text in [outcome.outputText, outcome.errorText] {
                #expect(!text.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control })
            }
        }
    }
}
