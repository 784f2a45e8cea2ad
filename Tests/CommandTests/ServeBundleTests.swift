import Foundation
import OCI
import TestSupport
import Testing

/// Bundles as a registry: under the names that a push gives, and nothing is written.
@Suite struct ServeBundleTests {
    private let terminal: Terminal
    private let source: Source
    private let other: Source
    private let image: TestImage

    /// `one.tar` has `app:1`, `app:2` and `team/tool:1` of one registry; `two.tar` has `app:1` of another.
    init() throws {
        (terminal, source, other) = (try Terminal(), try Source(), try Source())
        var builder = ImageBuilder(seed: 740)
        let shared = try builder.layer(byteCount: 200_000)
        image = try builder.multiPlatform(sharing: [shared])
        let names = [
            try source.add(image, "app"), try source.add(builder.image(), "app", tag: "2"),
            try source.add(builder.image(layers: [shared]), "team/tool"),
        ]
        try terminal.command(["bundle", "-o", "one.tar"] + names).check()
        try terminal.command(["bundle", "-o", "two.tar", try other.add(builder.image(), "app")]).check()
    }

    /// What `list` says of a registry, without where that is.
    private func list(_ server: ServeProcess) async throws -> String {
        let outcome = try await terminal.succeed("list", server.address)
        return outcome.outputText.replacing(server.address, with: "registry")
    }

    /// The options of names, which push and serve have in common.
    @Test(arguments: [[], ["--keep-host"], ["mirror"], ["mirror/deep", "--keep-host"]])
    func `the names are those of a push`(options: [String]) async throws {
        let prefix = options.first.flatMap { $0.hasPrefix("-") ? nil : $0 }
        let keepHost = options.filter { $0.hasPrefix("-") }
        let served = try ServeProcess(terminal, ["one.tar"] + keepHost + (prefix.map { ["--prefix", $0] } ?? []))
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("pushed"),
            withIntermediateDirectories: true
        )
        let pushed = try ServeProcess(terminal, ["pushed"])
        let target = pushed.address + (prefix.map { "/" + $0 } ?? "")
        let outcome = try await terminal.command(["push", "one.tar", target] + keepHost).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let names = try await list(served)
        #expect(try await list(pushed) == names)
        let start = prefix.map { $0 + "/" } ?? ""
        let hasPlainName = names.split(separator: "\n").contains { $0.hasPrefix("\(start)team/tool") }
        #expect(hasPlainName == keepHost.isEmpty, "\(names)")
        // Everything beneath is there, under those names.
        let check = ["verify", "one.tar", "--at", target.replacing(pushed.address, with: served.address)] + keepHost
        let verified = try await terminal.command(check).run()
        #expect(verified.status == 0, "\(verified.errorText)")
    }

    @Test func `nothing is written, whatever is pulled`() async throws {
        let server = try ServeProcess(terminal, ["one.tar", "-q"])
        let (written, before) = (try server.writtenByteCount(), try terminal.scratch.snapshot())
        let reference = "\(server.address)/app:1"
        try await terminal.succeed("bundle", reference, "-o", "back.tar")
        try await terminal.succeed("verify", "back.tar")
        let client = try ServeClient(server.address)
        for (digest, bytes) in try image.allBytes {
            let isBlob = image.blobs.contains { $0.digest == digest }
            let answer = try client.ask("GET", "/v2/app/\(isBlob ? "blobs" : "manifests")/\(digest)")
            #expect(answer.body == bytes)
        }
        #expect(try server.writtenByteCount() == written)
        try FileManager.default.removeItem(atPath: terminal.scratch.path("back.tar"))
        // But for the directory, of which the client's file has come and gone.
        #expect(try terminal.scratch.snapshot().dropFirst() == before.dropFirst())
        #expect(server.end() == 0)
    }

    @Test(.tags(.interop)) func `skopeo pulls from a bundle`() async throws {
        let server = try ServeProcess(terminal, ["one.tar", "two.tar", "--keep-host", "--prefix", "mirror"])
        let catalog = try server.ask("GET", "/v2/_catalog").text
        let repository = try #require(catalog.firstMatch(of: /"(mirror\/[^"]*\/team\/tool)"/)?.1)
        let arguments = ["copy", "--src-tls-verify=false", "docker://\(server.address)/\(repository):1", "dir:pulled"]
        let outcome = try await Command("skopeo", arguments, directory: terminal.scratch.path).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        let pulled = try Digest.of(try terminal.scratch.read("pulled/manifest.json"))
        #expect(source.content.digest(ofTag: "1", repository: "team/tool") == pulled)
    }

    @Test func `a mirror is asked by the name of what it mirrors`() throws {
        let server = try ServeProcess(terminal, ["one.tar", "two.tar", "--keep-host"])
        func digest(_ source: Source, _ target: String) throws -> String? {
            let host = source.address.replacing(":", with: "%3A")
            return try server.ask("HEAD", "\(target)?ns=\(host)").headers["docker-content-digest"]
        }
        // Each under its own path, although both hosts have it.
        for one in [source, other] {
            let expected = one.content.digest(ofTag: "1", repository: "app")?.description
            #expect(try digest(one, "/v2/app/manifests/1") == expected)
        }
        #expect(try digest(other, "/v2/team/tool/manifests/1") == nil)
        #expect(try server.ask("HEAD", "/v2/app/manifests/1?ns=elsewhere.example").status == 404)
        #expect(try server.ask("HEAD", "/v2/app/manifests/1").status == 404)
    }

    @Test func `two images under one name are refused, as a push refuses them`() async throws {
        var command = terminal.command(["serve", "one.tar", "two.tar", "--listen", "127.0.0.1:0"])
        (command.tool, command.arguments) = ("timeout", ["60", command.tool] + command.arguments)
        let outcome = try await command.run()
        #expect(outcome.status == 1)
        #expect(outcome.outputText == "")
        for (source, bundle) in [(source, "one.tar"), (other, "two.tar")] {
            #expect(outcome.errorText.contains("\(source.address)/app:1 of \(bundle) ("), "\(outcome.errorText)")
        }
        #expect(outcome.errorText.hasSuffix(" would both be served as app:1; --keep-host keeps them apart\n"))
    }

    @Test func `a push to a bundle is told that it is read-only`() async throws {
        let server = try ServeProcess(terminal, ["one.tar"])
        #expect(try server.put(Array("blob".utf8), repository: "app").status == 405)
        let outcome = try await terminal.drayage("push", "two.tar", server.address)
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("read-only"), "\(outcome.errorText)")
        #expect(server.end() == 0)
    }
}
