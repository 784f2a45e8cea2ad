import Foundation
import TestSupport
import Testing

/// `--json` and `--report`: one document, whatever happens.
@Suite struct ReportFileTests {
    private let terminal: Terminal
    private let source: Source
    private let image: TestImage
    private let name: String

    init() throws {
        (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 240)
        image = try builder.multiPlatform()
        name = try source.add(image, "app")
    }

    @Test func `every command prints one document on stdout`() async throws {
        let target = try Source()
        let runs: [(String, [String], String)] = [
            ("bundle", ["bundle", name, "--dry-run"], "planned"),
            ("bundle", ["bundle", name, "-o", "b.tar"], "bundled"),
            ("list", ["list", "b.tar"], "present"), ("verify", ["verify", "b.tar"], "verified"),
            ("push", ["push", "b.tar", target.address, "--dry-run"], "planned"),
            ("push", ["push", "b.tar", target.address], "pushed"),
            ("push", ["push", "b.tar", target.address], "up-to-date"),
            ("verify", ["verify", "b.tar", "--at", target.address], "verified"),
        ]
        for (command, arguments, status) in runs {
            let outcome = try await terminal.command(arguments + ["--json"]).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
            let report = try ReportDocument(outcome.output)
            #expect(report.command == command)
            #expect(report.outcome == "done")
            #expect(report.failures.isEmpty)
            #expect(report.images.map(\.reference) == [name])
            #expect(report.images.map(\.digest) == ["\(image.digest)"])
            #expect(report.images.map(\.platforms) == [["linux/amd64", "linux/arm64/v8"]])
            #expect(report.images.map(\.status) == [status], "\(arguments)")
        }
        let listing = try ReportDocument(await terminal.drayage("list", target.address, "--json").output)
        #expect(listing.repositories?.map(\.repository) == ["app"])
        #expect(listing.repositories?.map(\.tags) == [["1"]])
        #expect(listing.images.isEmpty)
    }

    /// Commands that fail, each with its exit code.
    @Test(
        arguments: [
            (["bundle", "no reference", "-o", "b.tar"], 64), (["bundle", "-o", "b.tar"], 64),
            (["bundle", "REGISTRY/none:1", "-o", "b.tar"], 1), (["bundle", "REGISTRY/app:1", "-o", "none/b.tar"], 1),
            (["bundle", "-f", "none.txt", "-o", "b.tar"], 1), (["push", "none.tar", "REGISTRY"], 1),
            (["push", "none.tar", "NoRegistry/A"], 64), (["list", "none.tar"], 1), (["list", "REGISTRY/none"], 1),
            (["verify", "none.tar"], 1), (["verify", "none.tar", "--at", "REGISTRY"], 1),
        ] as [([String], Int32)]
    )
    func `a command that fails prints one document as well, and the error on stderr`(
        arguments: [String],
        status: Int32
    ) async throws {
        let arguments = arguments.map { $0.replacing("REGISTRY", with: source.address) }
        let outcome = try await terminal.command(arguments + ["--json", "--report", "report.json"]).run()
        #expect(outcome.status == status, "\(outcome.errorText)")
        let report = try ReportDocument(outcome.output)
        #expect(report.command == arguments[0])
        #expect(report.outcome == "failed")
        #expect(report.failures.count == 1)
        #expect(outcome.errorText.contains("error: \(report.failures[0].message)\n"))
        #expect(try terminal.scratch.read("report.json") + [0x0a] == outcome.output)
        #expect(try terminal.scratch.names() == ["report.json"])
    }

    @Test func `a report goes to a file beside the text on stdout`() async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "b.tar", "--report", "report.json")
        #expect(outcome.status == 0)
        #expect(outcome.outputText == "bundled  \(name)  \(image.digest)\n")
        let report = try ReportDocument(terminal.scratch.read("report.json"))
        #expect(report.bundle == "b.tar")
        #expect(try report.bundleByteCount == Int64(terminal.scratch.read("b.tar").count))
        #expect(report.totals?.blobCount == 4)
        #expect(report.totals?.requestCount == 9)
        #expect(try terminal.scratch.names() == ["b.tar", "report.json"])
    }

    @Test func `a report that cannot be written is an error`() async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "b.tar", "--report", "none/report.json")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("error: writing the report none/report.json: "))
        #expect(try terminal.scratch.names() == ["b.tar"])
    }

    @Test func `quiet leaves the document`() async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "b.tar", "--json", "-q")
        #expect(outcome.status == 0)
        #expect(outcome.errorText == "")
        #expect(try ReportDocument(outcome.output).outcome == "done")
    }
}
