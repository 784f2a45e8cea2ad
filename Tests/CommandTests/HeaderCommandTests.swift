import TestSupport
import Testing

/// `--header`, and what `--verbose` shows of a registry that means ill.
@Suite struct HeaderCommandTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    @Test func `a header goes to its registry alone, and its value is printed nowhere`() async throws {
        let (one, other) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 730)
        let names = [try one.add(builder.image(), "app"), try other.add(builder.image(), "app")]
        let secret = TestSecrets.make()
        let arguments = ["bundle"] + names + ["-o", "bundle.tar", "-v", "--header", "\(one.address)=X-Gate: \(secret)"]
        let outcome = try await terminal.command(arguments + ["--report", "report.json"]).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(!one.registry.requests.isEmpty)
        #expect(one.registry.requests.allSatisfy { $0.header("X-Gate") == secret })
        #expect(!other.registry.requests.isEmpty)
        #expect(other.registry.requests.allSatisfy { $0.header("X-Gate") == nil })
        for bytes in [outcome.output, outcome.errors, try terminal.scratch.read("report.json")] {
            #expect(TestSecrets.found(in: bytes) == [])
        }
    }

    @Test func `a header that cannot be sent is refused without its value`() async throws {
        let secret = TestSecrets.make()
        for text in ["a.io=Host:\(secret)", "a.io=X:\(secret)\n", "no host=X:\(secret)", "a.io=\(secret)"] {
            let outcome = try await terminal.drayage("bundle", "a.io/app", "-o", "x", "--header", text)
            #expect(outcome.status == 64)
            #expect(TestSecrets.found(in: outcome.errors) == [], "\(outcome.errorText)")
        }
    }

    @Test func `a hostile registry's headers and messages are shown, and do nothing`() async throws {
        // What an HTTP parser lets pass: terminals take the first for ESC [.
        let evil = "\u{9b}2J\u{202e}owned"
        let registry = try ScriptedRegistry { _ in
            Answer.error(500, "E", #"\u001b[2J"#).with("X-Request-Id", evil).with("Warning", "299 - \"\(evil)\"")
                .with("Retry-After", evil).with("Location", evil).with("Content-Range", evil)
        }
        for arguments in [
            ["bundle", "\(registry.address)/app:1", "-o", "bundle.tar"], ["list", registry.address],
            ["verify", "none.tar", "--at", registry.address],
        ] {
            let outcome = try await terminal.command(arguments + ["-v"]).run()
            #expect(outcome.status != 0)
            let all = outcome.errorText.unicodeScalars.filter { $0 != "\n" }.map(\.properties.generalCategory)
            #expect(!all.contains { $0 == .control || $0 == .format }, "\(outcome.errorText.debugDescription)")
            guard arguments[0] != "verify" else { continue }
            #expect(outcome.errorText.contains(#"request id \u{009B}2J\u{202E}owned"#), "\(outcome.errorText)")
            #expect(outcome.errorText.contains(#"warns: \u{009B}2J\u{202E}owned"#), "\(outcome.errorText)")
        }
    }

    @Test func `the harness finds a secret that is given away`() async throws {
        let secret = TestSecrets.make()
        #expect(TestSecrets.found(in: Array("a \(secret).".utf8)) == [secret])
        let (name, password) = TestSecrets.user("me")
        #expect(TestSecrets.found(in: Array("\(name):\(password)".utf8)) == [password])
        await withKnownIssue {
            _ = try await terminal.drayage("list", "\(secret).tar")
        }
    }
}
