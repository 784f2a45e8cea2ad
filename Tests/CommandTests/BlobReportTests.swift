import Foundation
import Synchronization
import TestSupport
import Testing

/// What a report tells of each blob.
@Suite struct BlobReportTests {
    private let terminal: Terminal
    private let image: TestImage

    init() throws {
        terminal = try Terminal()
        var builder = ImageBuilder(seed: 772)
        image = try builder.image(layers: [builder.layer(), builder.layer()])
    }

    private func report(_ arguments: String...) async throws -> ReportDocument {
        let outcome = try await terminal.command(arguments + ["--json", "--retries", "3"]).run()
        return try ReportDocument(outcome.output)
    }

    private var digests: [String] { image.blobs.map { "\($0.digest)" }.sorted() }

    @Test func `where each came from, how often it was tried and what was moved`() async throws {
        let failures = Mutex(2)
        let bad = "/blobs/\(image.layers[0].digest)"
        let source = try Source { request in
            guard request.path.hasSuffix(bad) else { return nil }
            return failures.withLock { left in
                left -= 1
                return left >= 0 ? Answer(503) : nil
            }
        }
        let name = try source.add(image, "team/app")
        let plan = try #require(try await report("bundle", name, "--dry-run").blobs)
        #expect(plan.map(\.digest).sorted() == digests)
        #expect(plan.allSatisfy { $0.status == "planned" && $0.source == nil && $0.attempts == nil })
        let made = try await report("bundle", name, "-o", "a.tar")
        #expect(made.images.map(\.attempts) == [1])
        let blobs = try #require(made.blobs)
        #expect(blobs.map(\.digest) == digests)
        for blob in blobs {
            #expect(blob.status == "fetched")
            #expect(blob.source == "\(source.address)/team/app")
            #expect(blob.movedByteCount == blob.byteCount)
            #expect(blob.attempts == (bad.hasSuffix(blob.digest) ? 3 : 1))
            #expect(blob.cause == nil)
        }
        let again = try #require(try await report("bundle", name, "-o", "b.tar", "--reuse", "a.tar").blobs)
        #expect(again.map(\.digest) == digests)
        #expect(again.allSatisfy { $0.status == "reused" && $0.source == "a.tar" && $0.movedByteCount == nil })
    }

    @Test func `why one could not be had`() async throws {
        let bad = "/blobs/\(image.layers[0].digest)"
        let source = try Source { $0.path.hasSuffix(bad) ? Answer(404) : nil }
        let name = try source.add(image, "app")
        let failed = try await report("bundle", name, "-o", "a.tar")
        #expect(failed.outcome == "failed")
        let blob = try #require(failed.blobs?.first { bad.hasSuffix($0.digest) })
        #expect(blob.status == "failed")
        #expect(blob.cause?.contains("answered 404") == true)
        #expect(failed.failures.first?.message == blob.cause)
    }

    @Test func `where each went, mounted, sent, or there before`() async throws {
        let source = try Source()
        let names = [try source.add(image, "one"), try source.add(image, "two")]
        try await terminal.succeed("bundle", "-o", "a.tar", names[0], names[1])
        let target = try Source()
        let plan = try #require(try await report("push", "a.tar", target.address, "--dry-run").blobs)
        #expect(plan.count == 2 * digests.count)
        #expect(plan.allSatisfy { $0.status == "planned" })
        let pushed = try await report("push", "a.tar", target.address)
        #expect(pushed.images.map(\.attempts) == [1, 1])
        let blobs = try #require(pushed.blobs)
        #expect(blobs.filter { $0.target == "\(target.address)/one" }.map(\.digest) == digests)
        #expect(blobs.filter { $0.target == "\(target.address)/two" }.map(\.digest) == digests)
        #expect(blobs.count { $0.status == "uploaded" && $0.movedByteCount == $0.byteCount } == digests.count)
        #expect(blobs.count { $0.status == "mounted" && $0.movedByteCount == nil } == digests.count)
        // The tag is gone, and the blobs are there.
        let third = try source.add(image, "one", tag: "2")
        try await terminal.succeed("bundle", "-o", "b.tar", third)
        let present = try #require(try await report("push", "b.tar", target.address).blobs)
        #expect(present.map(\.digest) == digests)
        #expect(present.allSatisfy { $0.status == "present" && $0.target == "\(target.address)/one" })
    }
}
