import Foundation
import TestSupport
import Testing

/// `drayage copy`, as a user runs it.
@Suite struct CopyCommandTests {
    private let terminal: Terminal
    private let source: Source
    private let target: Source

    init() throws { (terminal, source, target) = (try Terminal(), try Source(), try Source()) }

    @Test func `images are copied, and the summary says so`() async throws {
        var builder = ImageBuilder(seed: 1520)
        let image = try builder.image()
        let name = try source.add(image, "team/app")
        let plan = try await terminal.drayage("copy", name, target.address, "--dry-run")
        #expect(plan.status == 0, "\(plan.errorText)")
        #expect(plan.outputText.contains("copy    \(target.address)/team/app:1"), "\(plan.outputText)")
        #expect(plan.messages.contains("to upload 2 blobs"))
        let outcome = try await terminal.drayage("copy", name, target.address)
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(outcome.outputText == "pushed  \(target.address)/team/app:1  \(image.digest)\n")
        #expect(outcome.messages.contains("\(target.address): 1 image, uploaded 2 blobs"))
        let again = try await terminal.drayage("copy", name, target.address)
        #expect(again.outputText == "skipped  \(target.address)/team/app:1  \(image.digest)\n")
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `what failed is copied again from the report`() async throws {
        var builder = ImageBuilder(seed: 1521)
        let (one, two) = (try builder.image(), try builder.image())
        let names = [try source.add(one, "one"), "\(source.address)/two:1"]
        let first = try await terminal.command(["copy"] + names + [target.address, "--report", "r.json"]).run()
        #expect(first.status == 2)
        try source.add(two, "two")
        let gets = source.registry.requests.count
        let second = try await terminal.drayage("copy", target.address, "--retry-from", "r.json")
        #expect(second.status == 0, "\(second.errorText)")
        #expect(target.content.digest(ofTag: "1", repository: "two") == two.digest)
        #expect(source.registry.requests.dropFirst(gets).allSatisfy { $0.path.contains("/two/") })
        let other = try await terminal.drayage("copy", "\(target.address)/x", "--retry-from", "r.json")
        #expect(other.status == 64)
    }

    @Test func `a lock says what is copied`() async throws {
        var builder = ImageBuilder(seed: 1522)
        let (old, new) = (try builder.image(), try builder.image())
        let name = try source.add(old, "app")
        try await terminal.succeed("bundle", name, "--dry-run", "--lock", "l")
        try source.add(new, "app")
        try await terminal.succeed("copy", target.address, "--lock", "l", "--locked")
        #expect(target.content.digest(ofTag: "1", repository: "app") == old.digest)
    }
}
