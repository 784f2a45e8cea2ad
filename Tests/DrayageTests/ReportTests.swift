import Foundation
import Testing

@testable import Drayage

@Suite struct ReportTests {
    private struct Failing: Error, CustomStringConvertible {
        var description: String { "it \u{1b}[31mfailed" }
    }

    @Test func `the schema of the document is stable`() throws {
        let digest = try Digest(parsing: "sha256:" + String(repeating: "a", count: 64))
        var image = Report.Image(reference: "site.io/a:1", status: .upToDate)
        image.target = "target.io/a:1"
        image.digest = digest
        image.mediaType = .ociIndex
        image.platforms = ["linux/amd64"]
        image.byteCount = 5
        image.previousDigest = digest
        var report = Report(command: "push", error: Failing())
        report.bundle = "b.tar"
        report.bundleByteCount = 10
        report.target = "target.io"
        report.images = [image]
        report.repositories = [Report.RepositoryTags(repository: "a", tags: ["1"])]
        report.totals = Report.Totals(
            blobCount: 1,
            byteCount: 2,
            uploadCount: 3,
            uploadByteCount: 4,
            mountCount: 5,
            requestCount: 6
        )
        let limit = Report.Quota(registry: "site.io", limit: 100, remaining: 76, windowSeconds: 21_600, needed: 12)
        report.quotas = [
            limit, Report.Quota(registry: "short.io", limit: nil, remaining: 7, windowSeconds: nil, needed: 0),
        ]
        report.totals?.keptByteCount = 7
        report.totals?.reusedByteCount = 8
        report.totals?.fetchedByteCount = 9
        report.totals?.layerCount = 10
        report.totals?.layerByteCount = 11
        report.notes = ["it has moved"]
        report.partial = "b.tar.partial"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let type = "application/vnd.oci.image.index.v1+json"
        #expect(
            String(decoding: try encoder.encode(report), as: UTF8.self) == """
                {"bundle":"b.tar","bundleByteCount":10,"command":"push",\
                "failures":[{"message":"it \\\\u{1B}[31mfailed","subject":"push"}],\
                "images":[{"byteCount":5,"digest":"\(digest)","mediaType":"\(type)","platforms":["linux/amd64"],\
                "previousDigest":"\(digest)","reference":"site.io/a:1","status":"up-to-date","target":"target.io/a:1"}],\
                "notes":["it has moved"],\
                "outcome":"failed","partial":"b.tar.partial",\
                "quotas":[{"limit":100,"needed":12,"registry":"site.io","remaining":76,"windowSeconds":21600},\
                {"needed":0,"registry":"short.io","remaining":7}],\
                "repositories":[{"repository":"a","tags":["1"]}],\
                "schema":"dev.drayage.report.v1","target":"target.io",\
                "totals":{"blobCount":1,"byteCount":2,"fetchedByteCount":9,"keptByteCount":7,"layerByteCount":11,"layerCount":10,\
                "mountCount":5,"requestCount":6,"reusedByteCount":8,"uploadByteCount":4,"uploadCount":3}}
                """
        )
    }

    /// Failures together, and the exit code that they give.
    @Test(
        arguments: [
            ([], ExitStatus.failed),
            ([Failing()], .failed),
            ([DrayageError(.usage, "")], .usage),
            ([DrayageError(.invalidList, "")], .usage),
            ([DrayageError(.emptyList, "")], .usage),
            ([DrayageError(.unverified, "")], .unverified),
            ([DrayageError(.nameCollision, "")], .failed),
            ([DrayageError(.tagExists, "")], .failed),
            ([CancellationError()], .interrupted),
            // An error that wraps another has its exit code.
            ([DrayageError(.other, "", underlying: DrayageError(.unverified, ""))], .unverified),
            // What must be acted on first.
            ([Failing(), DrayageError(.unverified, ""), DrayageError(.usage, "")], .unverified),
        ] as [([any Error], ExitStatus)]
    )
    func `failures give an exit code`(errors: [any Error], expected: ExitStatus) {
        var report = Report(command: "bundle")
        report.outcome = .failed
        report.failures = errors.map { Report.Failure(subject: "a", error: $0) }
        #expect(report.exitStatus == expected)
    }

    @Test func `an error that tells of several things is several failures`() {
        let report = Report(command: "bundle", error: DrayageError(.invalidList, "a:1: no\u{1b}\nb:2: neither"))
        #expect(report.failures.map(\.message) == [#"a:1: no\u{1B}"#, "b:2: neither"])
        #expect(report.failures.map(\.subject) == ["bundle", "bundle"])
        #expect(report.exitStatus == .usage)
    }

    @Test func `the exit code of a run says whether all was done`() {
        var report = Report(command: "bundle")
        #expect(report.exitStatus == .done)
        report.outcome = .partial
        report.failures = [Report.Failure(subject: "a", error: DrayageError(.unverified, ""))]
        #expect(report.exitStatus == .partial)
    }
}
