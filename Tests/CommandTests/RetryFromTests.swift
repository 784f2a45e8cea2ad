import Foundation
import TestSupport
import Testing

/// `--retry-from`: what failed is done again, and nothing else.
@Suite struct RetryFromTests {
    private let terminal: Terminal
    private let (one, two): (TestImage, TestImage)

    init() throws {
        terminal = try Terminal()
        var builder = ImageBuilder(seed: 771)
        (one, two) = (try builder.image(), try builder.image())
    }

    @Test func `a bundle of what an earlier one was made without`() async throws {
        let isDown = Flag()
        isDown.set(true)
        let bad = "/blobs/\(two.layers[0].digest)"
        let source = try Source { isDown.isSet && $0.path.hasSuffix(bad) ? Answer(500) : nil }
        let names = [try source.add(one, "one"), try source.add(two, "two")]
        let first = try await terminal.command(
            ["bundle", "-o", "b.tar", "--keep-going", "--report", "report.json"] + names
        ).run()
        #expect(first.status == 2, "\(first.errorText)")
        isDown.set(false)
        let count = source.registry.requests.count
        let second = try await terminal.drayage("bundle", "-o", "rest.tar", "--retry-from", "report.json", "--json")
        #expect(second.status == 0, "\(second.errorText)")
        #expect(try ReportDocument(second.output).images.map(\.reference) == [names[1]])
        let lines = source.registry.lines.dropFirst(count)
        #expect(lines.allSatisfy { $0.contains("/two/") }, "\(lines)")
        // Nothing is left to do.
        try await terminal.drayage("bundle", "-o", "c.tar", names[0], "--report", "done.json").expectSuccess()
        let third = try await terminal.drayage("bundle", "-o", "d.tar", "--retry-from", "done.json")
        #expect(third.status == 64)
        #expect(third.errorText.contains("done.json tells of nothing that failed"))
    }

    @Test func `a bundle that was not written is gone on with by the same command`() async throws {
        let source = try Source { $0.path.contains("/two/") ? Answer(500) : nil }
        let names = [try source.add(one, "one"), try source.add(two, "two")]
        let first = try await terminal.command(["bundle", "-o", "b.tar", "--report", "report.json"] + names).run()
        #expect(first.status == 1)
        let second = try await terminal.drayage("bundle", "-o", "b.tar", "--retry-from", "report.json")
        #expect(second.status == 64)
        #expect(second.errorText.contains("no bundle was written"), "\(second.errorText)")
    }

    @Test func `a push of the images that an earlier one could not bring`() async throws {
        let source = try Source()
        let names = [try source.add(one, "one"), try source.add(two, "two")]
        try await terminal.command(["bundle", "-o", "b.tar"] + names).run().expectSuccess()
        let isDown = Flag()
        isDown.set(true)
        let target = try Source { isDown.isSet && $0.path.contains("/two/") && $0.method != "HEAD" ? Answer(403) : nil }
        let first = try await terminal.drayage("push", "b.tar", target.address, "--report", "report.json")
        #expect(first.status == 4 || first.status == 2, "\(first.errorText)")
        let failed = try #require(ReportDocument(terminal.scratch.read("report.json")).blobs)
        #expect(failed.contains { $0.status == "failed" && $0.cause?.contains("403") == true })
        isDown.set(false)
        let count = target.registry.requests.count
        try await terminal.drayage("push", "b.tar", target.address, "--retry-from", "report.json").expectSuccess()
        let lines = target.registry.lines.dropFirst(count)
        #expect(!lines.isEmpty)
        #expect(lines.allSatisfy { $0.contains("/two/") }, "\(lines)")
        let elsewhere = try await terminal.drayage("push", "b.tar", "127.0.0.1:1", "--retry-from", "report.json")
        #expect(elsewhere.status == 64)
        #expect(elsewhere.errorText.contains("is of a run with \(target.address), not 127.0.0.1:1"))
    }

    @Test func `what only showed what it would do is not done again`() async throws {
        let source = try Source { $0.path.contains("/two/") ? Answer(404) : nil }
        let names = [try source.add(one, "one"), try source.add(two, "two")]
        _ = try await terminal.command(
            ["bundle", "--dry-run", "--keep-going", "--report", "report.json"] + names
        ).run()
        let again = try await terminal.drayage("bundle", "-o", "b.tar", "--retry-from", "report.json")
        #expect(again.status == 64)
        #expect(again.errorText.contains("was only to show what it would do"), "\(again.errorText)")
    }

    @Test func `a prune of what an earlier one could not remove`() async throws {
        let isDown = Flag()
        isDown.set(true)
        let target = try Source(deletion: .byDigest) {
            isDown.isSet && $0.method == "DELETE" && $0.path.contains("/two/") ? Answer(500) : nil
        }
        try target.add(one, "one")
        try target.add(two, "two")
        try target.add(one, "kept")
        let first = try await terminal.drayage(
            "prune",
            target.address,
            "kept:1",
            "--yes",
            "--report",
            "report.json"
        )
        #expect(first.status == 2, "\(first.errorText)")
        isDown.set(false)
        let count = target.registry.requests.count
        try await terminal.drayage("prune", target.address, "--retry-from", "report.json", "--yes").expectSuccess()
        let deletes = target.registry.lines.dropFirst(count).filter { $0.hasPrefix("DELETE") }
        #expect(!deletes.isEmpty)
        #expect(deletes.allSatisfy { $0.contains("/two/") }, "\(deletes)")
    }

    @Test(
        arguments: [
            (["bundle", "-o", "b.tar", "alpine:1"], "it takes no list of them"),
            (["prune", "./registry", "alpine:1"], "it takes no list of images and no rule"),
            (["prune", "./registry", "--apply", "p.json"], "--apply and --retry-from exclude each other"),
            (["bundle", "-o", "b.tar"], "report.json is dev.drayage.report.v1 of drayage list;"),
            (["push", "b.tar", "127.0.0.1:1"], "report.json is dev.drayage.report.v1 of drayage list;"),
        ] as [([String], String)]
    )
    func `what makes no sense is refused`(arguments: [String], message: String) async throws {
        let source = try Source()
        let name = try source.add(one, "one")
        try await terminal.drayage("bundle", "-o", "b.tar", name).expectSuccess()
        _ = try await terminal.drayage("list", "b.tar", "--report", "report.json")
        let outcome = try await terminal.command(arguments + ["--retry-from", "report.json"]).run()
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
    }

    @Test(arguments: ["", "{}", "[]", "not JSON", "{\"schema\": 1}"])
    func `a file that is no report is refused`(text: String) async throws {
        try terminal.scratch.write(text, to: "report.json")
        let outcome = try await terminal.drayage("bundle", "-o", "b.tar", "--retry-from", "report.json")
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains("report.json is no report of drayage"), "\(outcome.errorText)")
    }

    @Test func `a report that cannot be read is an error`() async throws {
        let outcome = try await terminal.drayage("bundle", "-o", "b.tar", "--retry-from", "none.json")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("reading the report none.json: no such file or directory"))
    }
}

extension Outcome {
    /// Expects that a run did what it was to do.
    fileprivate func expectSuccess(location: SourceLocation = #_sourceLocation) {
        #expect(status == 0, "\(errorText)", sourceLocation: location)
    }
}
