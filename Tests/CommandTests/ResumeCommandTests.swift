import Foundation
import OCI
import TestSupport
import Testing

/// What is said, and what is done, where a bundle that failed is gone on with.
@Suite struct ResumeCommandTests {
    private let terminal: Terminal
    private let site: StallingSite
    private var builder: ImageBuilder
    private let images: [TestImage]
    private let names: [String]
    /// The layer that cannot be had at first: the smallest blob, so that it comes last.
    private let layer: TestBlob

    private static let files = ["bundle.tar.partial", "bundle.tar.partial.journal"]
    /// What a run begins with that has only the layer left to fetch.
    private static let going =
        "going on with an interrupted bundle, of which 301 kB is there\n4 blobs, 100 B to go\n"

    init() throws {
        (terminal, site) = (try Terminal(), try StallingSite())
        builder = ImageBuilder(seed: 340)
        layer = try builder.opaqueLayer(byteCount: 100)
        images = [
            try builder.image(layers: [builder.opaqueLayer(byteCount: 300_000)]), try builder.image(layers: [layer]),
        ]
        names = [try site.add(images[0], "one"), try site.add(images[1], "two")]
    }

    private func bundle(_ names: [String], _ options: String...) async throws -> Outcome {
        try await terminal.command(["bundle", "-o", "bundle.tar", "-j", "1"] + options + names).run()
    }

    /// Makes a bundle that fails when all is there but one layer.
    private func leavePartial() async throws {
        site.set(.status(503), of: layer)
        #expect(try await bundle(names, "-q").status == 1)
        site.set(nil, of: layer)
        #expect(try terminal.scratch.names() == Self.files)
    }

    private func expectWhole(_ image: TestImage, _ name: String) async throws {
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
        let list = try await terminal.succeed("list", "bundle.tar", "--json")
        let digests = try ReportDocument(list.output).images.filter { $0.reference == name }.map(\.digest)
        #expect(digests == ["\(image.digest)"])
    }

    /// The blobs and manifests that are fetched while a command runs.
    private func fetches(_ command: () async throws -> Void) async throws -> [String] {
        try await site.requests(during: command).filter { $0.isOfBlob || $0.isOfManifest }.map(\.name)
    }

    // MARK: - Failures

    /// A blob that is not there, and a registry that does not come round: with retries or without there is an end.
    @Test(arguments: [404, 503])
    func `a bundle that fails keeps what it has and says where, and the next run fetches only the rest`(
        status: Int
    ) async throws {
        site.set(.status(status), of: layer)
        let url = "http://\(site.address)/v2/two/blobs/\(layer.digest)"
        let error = "error: fetching the blob \(site.address)/two@\(layer.digest): GET \(url) answered \(status): "
        let first = try await bundle(names)
        #expect(first.status == 1)
        var lines = first.errorText.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(lines)")
        #expect(lines.removeFirst() == "4 blobs, 301 kB to go")
        let kept = "what has been fetched is kept in bundle.tar.partial; the same command goes on from there"
        #expect(lines.removeFirst() == kept)
        #expect(lines.removeFirst().hasPrefix(error))
        #expect(lines == ["bundle failed: 1 failure"])
        #expect(try terminal.scratch.names() == Self.files)

        // It can be asked for as often as one likes.
        let second = try await bundle(names, "--json")
        #expect(second.status == 1)
        #expect(second.errorText.hasPrefix("\(Self.going)\(kept)\n\(error)"))
        #expect(try ReportDocument(second.output).failures.map(\.subject) == [names[1]])
        #expect(try terminal.scratch.names() == Self.files)

        site.set(nil, of: layer)
        let asked = try await fetches {
            expect(
                try await bundle(names),
                status: 0,
                output: "bundled  \(names[0])  \(images[0].digest)\nbundled  \(names[1])  \(images[1].digest)\n",
                errors: "\(Self.going)bundle.tar: 2 images, 4 blobs, 310 kB (301 kB from an interrupted run)\n"
            )
        }
        #expect(asked == ["\(layer.digest)"])
        try await expectWhole(images[1], names[1])
    }

    @Test func `the document tells what was kept and what was fetched; quiet tells errors only`() async throws {
        site.set(.status(503), of: layer)
        let failed = try await bundle(names, "-q")
        #expect(failed.status == 1)
        #expect(failed.errorText.hasPrefix("error: fetching the blob "), "\(failed.errorText)")
        #expect(failed.errorText.count { $0 == "\n" } == 1)
        site.set(nil, of: layer)
        let outcome = try await bundle(names, "-q", "--json")
        #expect(outcome.errorText == "")
        let report = try ReportDocument(outcome.output)
        #expect(report.totals?.fetchedByteCount == 100)
        let byteCount = try #require(report.totals?.byteCount)
        #expect(report.totals?.keptByteCount == byteCount - 100)
        #expect(report.totals?.reusedByteCount == nil)
        #expect(report.notes == [])
    }

    // MARK: - Other lists and other tags

    @Test func `an interrupted bundle of another list is refused, and is taken over where that is asked for`()
        async throws
    {
        try await leavePartial()
        let before = try terminal.scratch.read(Self.files[0])
        var builder = builder
        let other = try site.add(builder.image(), "three")
        for (list, difference) in [
            ([names[1], other], "\(other) added; \(names[0]) left out"),
            ([names[1]], "\(names[0]) left out"),
            (names + [other], "\(other) added"),
        ] {
            let asked = try await fetches {
                expect(
                    try await bundle(list),
                    status: 1,
                    errors: """
                        error: bundle.tar.partial is what an interrupted run left of another list: \(difference). \
                        --refresh plans it again and keeps what is still needed; to start over, remove it

                        """
                )
            }
            #expect(asked == [])
            #expect(try terminal.scratch.read(Self.files[0]) == before)
        }
        let asked = try await fetches {
            let outcome = try await bundle([names[0], other], "--refresh")
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
        // Nothing of the image that was there.
        #expect(!asked.contains { name in images[0].blobs.contains { "\($0.digest)" == name } })
        #expect(asked.count == 3, "\(asked)")
        try await expectWhole(images[0], names[0])
    }

    @Test func `a tag that has moved meanwhile is told, and the bundle goes on as it was planned`() async throws {
        try await leavePartial()
        var builder = builder
        let moved = try builder.image()
        try site.add(moved, "one")
        let note = """
            \(names[0]) has moved to \(moved.digest); this bundle goes on with \(images[0].digest), as it was planned; \
            --refresh plans it again
            """
        let asked = try await fetches {
            expect(
                try await bundle(names),
                status: 0,
                output: "bundled  \(names[0])  \(images[0].digest)\nbundled  \(names[1])  \(images[1].digest)\n",
                errors: "\(Self.going)\(note)\nbundle.tar: 2 images, 4 blobs, 310 kB (301 kB from an interrupted run)\n"
            )
        }
        #expect(asked == ["\(layer.digest)"])
        try await expectWhole(images[0], names[0])
    }

    @Test func `the note about a tag that has moved is in the document, and not printed where it is quiet`()
        async throws
    {
        try await leavePartial()
        var builder = builder
        try site.add(builder.image(), "one")
        let outcome = try await bundle(names, "-q", "--json")
        #expect(outcome.status == 0)
        #expect(outcome.errorText == "")
        let notes = try ReportDocument(outcome.output).notes
        #expect(notes.count == 1)
        #expect(notes.first?.hasPrefix("\(names[0]) has moved to ") == true, "\(notes)")
    }

    @Test func `with --refresh a tag means what it means now, and what is still needed is kept`() async throws {
        try await leavePartial()
        var builder = builder
        let config = try #require(images[0].config)
        // Another image with the same layer.
        let moved = try builder.image(layers: images[0].layers, command: ["/bin/true"])
        try site.add(moved, "one")
        let asked = try await fetches {
            let outcome = try await bundle(names, "--refresh")
            #expect(outcome.status == 0, "\(outcome.errorText)")
            #expect(!outcome.errorText.contains("has moved"))
        }
        let wanted = try [#require(moved.config).digest.description, layer.digest.description, "1"]
        #expect(Set(asked) == Set(wanted), "\(config.digest)")
        #expect(asked.count == 3)
        try await expectWhole(moved, names[0])
    }

    // MARK: - Files that are not ours

    @Test func `a partial file without a journal, or with a damaged one, is refused with the way out`() async throws {
        try await leavePartial()
        let journal = terminal.scratch.path(Self.files[1])
        let bytes = try terminal.scratch.read(Self.files[1])
        try terminal.scratch.write(bytes.dropLast(), to: Self.files[1])
        for reason in ["its journal is damaged", "there is no journal beside it"] {
            for options in [[], ["--refresh"], ["--force"]] {
                let arguments = ["bundle", "-o", "bundle.tar"] + options + names
                expect(
                    try await terminal.command(arguments).run(),
                    status: 1,
                    errors: """
                        error: writing bundle.tar.partial: an interrupted bundle cannot be gone on with: \(reason); \
                        remove it to start over

                        """
                )
            }
            unlink(journal)
        }
        #expect(try terminal.scratch.names() == [Self.files[0]])
        unlink(terminal.scratch.path(Self.files[0]))
        #expect(try await bundle(names).status == 0)
    }
}
