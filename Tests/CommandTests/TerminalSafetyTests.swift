import OCI
import TestSupport
import Testing

/// Whatever a registry or a bundle says, a terminal gets no control character of it.
@Suite struct TerminalSafetyTests {
    private static let evil = #"\u001b]0;owned\u0007\u001b[2J\u202egnp.exe\u0085\r"#
    private static let shown = #"\u{1B}]0;owned\u{07}\u{1B}[2J\u{202E}gnp.exe\u{0085}\r"#
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    private func expectSafe(_ outcome: Outcome, shows: Bool = true, _ location: SourceLocation = #_sourceLocation) {
        for text in [outcome.outputText, outcome.errorText] {
            for scalar in text.unicodeScalars where scalar != "\n" {
                let category = scalar.properties.generalCategory
                #expect(
                    category != .control && category != .format,
                    "\(text.debugDescription)",
                    sourceLocation: location
                )
            }
        }
        let all = outcome.outputText + outcome.errorText
        #expect(all.contains(Self.shown) == shows, "\(all.debugDescription)", sourceLocation: location)
    }

    @Test func `the names and tags of a registry`() async throws {
        let registry = try ScriptedRegistry { request in
            request.path == "/v2/_catalog"
                ? .text(#"{"repositories":["app"]}"#) : .text(#"{"tags":["1","\#(Self.evil)"]}"#)
        }
        let outcome = try await terminal.drayage("list", registry.address)
        #expect(outcome.status == 0)
        expectSafe(outcome)
        // What is no name of a repository is not asked for.
        let other = try ScriptedRegistry { _ in .text(#"{"repositories":["\#(Self.evil)"]}"#) }
        let refused = try await terminal.drayage("list", other.address)
        #expect(refused.status != 0)
        expectSafe(refused)
        #expect(other.requests.count == 1)
    }

    @Test func `the messages of a registry`() async throws {
        let answers: [Answer] = [
            .error(500, "E\(Self.evil)", Self.evil), .text("{\"message\":\"\(Self.evil)\"}", status: 503),
            Answer(418, body: Array("\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}gnp.exe\u{85}\r\nmore".utf8)),
        ]
        for answer in answers {
            let registry = try ScriptedRegistry { _ in answer }
            for arguments in [
                ["list", registry.address], ["bundle", "\(registry.address)/app:1", "-o", "bundle.tar", "-v"],
            ] {
                let outcome = try await terminal.command(arguments).run()
                #expect(outcome.status == 1)
                expectSafe(outcome, shows: answer.status != 418)
            }
        }
    }

    @Test func `headers of a registry`() async throws {
        let digest = try ScriptedRegistry { _ in
            Answer(headers: [("Docker-Content-Digest", "sha256:\u{1b}[2J")], body: Array("{}".utf8))
        }
        let redirect = try ScriptedRegistry { _ in .redirect(to: "ftp://\u{1b}[2J") }
        let challenge = try ScriptedRegistry { _ in
            Answer(401, headers: [("WWW-Authenticate", "Bearer realm=\"http://\u{1b}[2J/\",service=\"\u{1b}[2J\"")])
        }
        for registry in [digest, redirect, challenge] {
            let outcome = try await terminal.drayage("bundle", "\(registry.address)/app:1", "-o", "bundle.tar", "-v")
            #expect(outcome.status != 0)
            expectSafe(outcome, shows: false)
        }
    }

    @Test func `manifests`() async throws {
        let digest = "sha256:" + String(repeating: "0", count: 64)
        let bodies = [
            #"{"schemaVersion":2,"mediaType":"\#(Self.evil)","manifests":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"\#(Self.evil)","digest":"\#(digest)","size":-1},"layers":[]}"#,
            #"{"schemaVersion":2,"config":{"mediaType":"a","digest":"\#(Self.evil)","size":1},"layers":[]}"#,
            #"{"schemaVersion":"\#(Self.evil)"}"#,
        ]
        for body in bodies {
            let registry = try ScriptedRegistry { _ in .text(body, type: MediaType.ociManifest.rawValue) }
            let outcome = try await terminal.drayage("bundle", "\(registry.address)/app:1", "-o", "bundle.tar")
            #expect(outcome.status != 0)
            let all = outcome.outputText + outcome.errorText
            expectSafe(outcome, shows: all.contains("owned"))
        }
    }

    @Test func `the names and platforms of a bundle`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 310)
        let platform = Platform(os: "linux\u{1b}[2J", architecture: "amd64")
        try await terminal.succeed(
            "bundle",
            try source.add(builder.image(platform: platform), "app"),
            "-o",
            "good.tar"
        )
        let listed = try await terminal.drayage("list", "good.tar")
        #expect(listed.outputText.contains(#"linux\u{1B}[2J/amd64"#))
        expectSafe(listed, shows: false)

        let bytes = try terminal.scratch.read("good.tar")
        let files = TarBytes.entries(of: bytes).map { entry in
            let text = String(decoding: bytes[entry.range], as: UTF8.self)
            guard entry.path == "index.json" else { return TarBytes.File(entry.path, Array(bytes[entry.range])) }
            return TarBytes.File(entry.path, Array(text.replacing("\(source.address)/app:1", with: Self.evil).utf8))
        }
        try terminal.scratch.write(TarBytes.archive(files), to: "evil.tar")
        for arguments in [["list", "evil.tar"], ["verify", "evil.tar"], ["push", "evil.tar", source.address]] {
            let outcome = try await terminal.command(arguments).run()
            expectSafe(outcome, shows: arguments[0] != "verify")
        }
        let path = TarBytes.archive([.init("../\u{1b}[2J", [])])
        try terminal.scratch.write(path, to: "path.tar")
        expectSafe(try await terminal.drayage("list", "path.tar"), shows: false)
    }
}
