import Foundation
import TestSupport
import Testing

/// What is found out of a registry before anything is done there.
@Suite(.timeLimit(.minutes(10))) struct CheckTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    /// Our own registry, empty.
    private func server() throws -> ServeProcess {
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
        return try ServeProcess(terminal, ["registry", "-q"])
    }

    /// The lines of the table, each as where, what and answer, with blanks between.
    private func answers(_ outcome: Outcome) -> [String] {
        outcome.outputText.split(separator: "\n").dropFirst().map { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
            let end = words.dropFirst().firstIndex { ["yes", "no", "unknown"].contains($0) } ?? words.count - 1
            return words[...end].joined(separator: " ")
        }
    }

    @Test func `our own registry does everything, and nothing is left there`() async throws {
        let server = try server()
        let storage = RegistryStorage(root: terminal.scratch.path("registry"))
        var builder = ImageBuilder(seed: 264)
        try storage.add(try builder.image(), repository: "app", tag: "1")
        let before = try FileManager.default.subpathsOfDirectory(atPath: terminal.scratch.path("registry/docker"))
            .filter { !$0.contains("_uploads") }
        let outcome = try await terminal.drayage("check", server.address, "app", "new")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let (all, app, new) = (server.address, "\(server.address)/app", "\(server.address)/new")
        #expect(
            answers(outcome) == [
                "\(all) reachable yes", "\(all) tls no", "\(all) logged in yes", "\(all) catalog yes",
                "\(app) pull yes", "\(app) push yes", "\(app) chunks yes", "\(app) delete yes", "\(app) referrers yes",
                "\(app) ranges yes", "\(app) mounts yes", "\(app) sparse indexes unknown",
                "\(new) pull yes", "\(new) push yes", "\(new) chunks yes", "\(new) delete yes", "\(new) referrers yes",
                "\(new) ranges unknown", "\(new) mounts unknown", "\(new) sparse indexes unknown",
            ]
        )
        let after = try FileManager.default.subpathsOfDirectory(atPath: terminal.scratch.path("registry/docker"))
            .filter { !$0.contains("_uploads") && !$0.hasSuffix("repositories/new") }
        #expect(Set(after).subtracting(before) == [])
        #expect(storage.tags(repository: "app") == ["1"])

        let wrote = try await terminal.drayage("check", server.address, "app", "--write")
        #expect(answers(wrote).last == "\(app) sparse indexes yes")
        #expect(!wrote.outputText.contains("is left there"))
    }

    @Test func `docker-registry tells who signed it, who we are, and what it does not do`() async throws {
        let user = TestSecrets.user("me")
        let registry = try DockerRegistry(options: .init(user: user, usesTLS: true, allowsDelete: false))
        var builder = ImageBuilder(seed: 265)
        try registry.storage.add(try builder.image(), repository: "app", tag: "1")
        let authority = try #require(registry.certificateAuthorityPath)
        let arguments = [
            "check", registry.address, "app", "--write", "--tls", registry.address, "--ca-file", authority,
        ]
        let known = try await terminal.command(
            arguments + ["-u", "me", "--password-stdin"],
            input: user.password
        ).run()
        #expect(known.status == 0, "\(known.errorText)")
        let (all, app) = (registry.address, "\(registry.address)/app")
        #expect(
            answers(known) == [
                "\(all) reachable yes", "\(all) tls yes", "\(all) logged in yes", "\(all) catalog yes",
                "\(app) pull yes", "\(app) push yes", "\(app) chunks yes", "\(app) delete no", "\(app) referrers no",
                "\(app) ranges yes", "\(app) mounts yes", "\(app) sparse indexes no",
            ],
            "\(known.outputText)"
        )
        #expect(known.outputText.contains(#/tls +yes +signed by /CN=.*, until [0-9]{4}-[0-9]{2}-[0-9]{2}\n/#))
        #expect(known.outputText.contains("me, from the command line"))
        #expect(known.outputText.contains("deletion is off"))

        let insecure = try await terminal.command(
            ["check", registry.address, "--tls", registry.address, "--insecure", registry.address, "-u", "me"]
                + ["--password-stdin"],
            input: user.password
        ).run()
        #expect(insecure.outputText.contains("; not verified, as --insecure says"), "\(insecure.outputText)")

        let unknown = try await terminal.command(arguments).run()
        #expect(unknown.status == 4)
        #expect(answers(unknown) == ["\(all) reachable yes", "\(all) tls yes", "\(all) logged in no"])
        #expect(unknown.errorText.contains("there are no credentials for \(registry.address)"))
    }

    @Test func `a bundle is held against the registry`() async throws {
        let source = try Source()
        let server = try server()
        var builder = ImageBuilder(seed: 266)
        let image = try builder.image()
        try await terminal.succeed("bundle", try source.add(image, "app"), "-o", "bundle.tar")
        let outcome = try await terminal.drayage("check", server.address, "--bundle", "bundle.tar")
        #expect(outcome.status == 0)
        #expect(outcome.outputText.contains("to upload: \(image.blobs.count) ("))
        #expect(outcome.outputText.contains("names to put: 1\n"))
        let there = try await terminal.drayage("push", "bundle.tar", server.address)
        #expect(there.status == 0)
        let again = try await terminal.drayage("check", server.address, "--bundle", "bundle.tar", "--json")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(again.output)) as? [String: Any])
        let checks = try #require(document["checks"] as? [[String: String]])
        let bundle = try #require(checks.last)
        #expect(bundle["name"] == "bundle" && bundle["answer"] == "yes")
        #expect(bundle["detail"]?.hasPrefix("to upload: 0 (") == true)
    }

    @Test func `what is not there, and what is no registry, is told`() async throws {
        let gone = try await terminal.drayage("check", "127.0.0.1:1", "--retries", "0")
        #expect(gone.status == 1)
        #expect(answers(gone) == ["127.0.0.1:1 reachable no"])
        #expect(gone.errorText.contains("error: asking 127.0.0.1:1: GET http://127.0.0.1:1/v2/: no connection"))
        let page = try ScriptedRegistry { _ in
            var answer = Answer.text("<html>\u{1b}[2J", type: "text/html")
            answer.status = 404
            return answer
        }
        let other = try await terminal.drayage("check", page.address)
        #expect(other.status == 1)
        #expect(other.errorText.contains("answered 404: not found (an HTML page, so perhaps not a registry)"))
        #expect(try await terminal.drayage("check", "127.0.0.1:1", "No Such").status == 64)
    }

    @Test func `a registry that counts requests tells what is left`() async throws {
        let registry = try ScriptedRegistry { _ in
            Answer.text("{}").with("RateLimit-Limit", "100;w=21600").with("RateLimit-Remaining", "76;w=21600")
        }
        let outcome = try await terminal.drayage("check", registry.address)
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(answers(outcome).contains("\(registry.address) quota yes"))
        #expect(outcome.outputText.contains("76 requests left"), "\(outcome.outputText)")
    }

    @Test func `who may pull and not push is told so`() async throws {
        let content = RegistryContent()
        let registry = try ScriptedRegistry { request in
            switch (request.method, request.path) {
            case ("GET", "/v2/"): .text("{}")
            case ("GET", _): content.answer(request)
            default: .error(403, "DENIED", "you are not of the team \u{1b}[2J")
            }
        }
        var builder = ImageBuilder(seed: 267)
        try content.add(try builder.image(), repository: "app", tag: "1")
        let outcome = try await terminal.drayage("check", registry.address, "app")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let app = "\(registry.address)/app"
        #expect(answers(outcome).contains("\(app) pull yes") && answers(outcome).contains("\(app) push no"))
        #expect(answers(outcome).contains("\(app) chunks unknown") && answers(outcome).contains("\(app) delete no"))
        #expect(outcome.outputText.contains("you are not of the team \\u{1B}[2J"))
        #expect(!outcome.outputText.contains("\u{1b}"))
    }

    @Test(arguments: [(403, Int32(4)), (500, 1)])
    func `who may not pull is told so, with what the registry said of it`(status: Int, exit: Int32) async throws {
        let registry = try ScriptedRegistry { request in
            request.path == "/v2/" ? .text("{}") : .error(status, "DENIED", "not today")
        }
        let outcome = try await terminal.drayage("check", registry.address, "app", "--retries", "0")
        #expect(outcome.status == exit, "\(outcome.errorText)")
        let app = "\(registry.address)/app"
        for line in ["pull no", "push no", "chunks unknown", "referrers unknown", "ranges unknown", "mounts unknown"] {
            #expect(answers(outcome).contains("\(app) \(line)"), "\(outcome.outputText)")
        }
        #expect(outcome.errorText.contains("DENIED: not today"))
    }
}
