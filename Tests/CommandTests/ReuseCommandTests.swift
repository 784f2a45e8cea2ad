import Foundation
import OCI
import TestSupport
import Testing

/// What earlier bundles have is not fetched again.
@Suite struct ReuseCommandTests {
    private let terminal: Terminal
    private let site: StallingSite
    private let images: [TestImage]
    private let names: [String]

    /// Two images that share a layer.
    init() throws {
        (terminal, site) = (try Terminal(), try StallingSite())
        var builder = ImageBuilder(seed: 350)
        let shared = try builder.opaqueLayer(byteCount: 400_000)
        images = [
            try builder.image(layers: [shared, builder.opaqueLayer(byteCount: 200_000)]),
            try builder.image(layers: [shared, builder.opaqueLayer(byteCount: 100_000)]),
        ]
        names = [try site.add(images[0], "one"), try site.add(images[1], "two")]
    }

    private func bundle(_ options: String...) async throws -> Outcome {
        try await terminal.command(["bundle"] + names + options).run()
    }

    private func fetches(_ command: () async throws -> Void) async throws -> [String] {
        try await site.requests(during: command).filter { $0.isOfBlob || $0.isOfManifest }.map(\.name)
    }

    @Test func `a bundle of what an earlier one has fetches nothing, and is the same file`() async throws {
        #expect(try await bundle("-o", "old.tar").status == 0)
        let asked = try await fetches {
            expect(
                try await bundle("-o", "new.tar", "--reuse", "old.tar"),
                status: 0,
                output: "bundled  \(names[0])  \(images[0].digest)\nbundled  \(names[1])  \(images[1].digest)\n",
                errors: "5 blobs, 701 kB to go\nnew.tar: 2 images, 5 blobs, 713 kB (701 kB from earlier bundles)\n"
            )
        }
        #expect(asked == [])
        #expect(try terminal.scratch.names() == ["new.tar", "old.tar"])
        #expect(try terminal.scratch.read("new.tar") == terminal.scratch.read("old.tar"))
    }

    @Test func `several earlier bundles are looked into, and the rest is fetched`() async throws {
        try await terminal.succeed("bundle", names[0], "-o", "one.tar")
        let outcome = try await bundle("-o", "whole.tar", "-q")
        #expect(outcome.status == 0)
        var other = ImageBuilder(seed: 351)
        try await terminal.succeed("bundle", site.add(other.image(), "other"), "-o", "other.tar")
        let asked = try await fetches {
            let outcome = try await bundle("-o", "new.tar", "--reuse", "other.tar", "--reuse", "one.tar", "--json")
            let totals = try #require(try ReportDocument(outcome.output).totals)
            let own = images[1].blobs.filter { $0.digest != images[0].layers[0].digest }
            let fetched = own.reduce(0) { $0 + $1.descriptor.size }
            #expect(totals.fetchedByteCount == fetched)
            #expect(totals.reusedByteCount == totals.byteCount - fetched)
            #expect(totals.keptByteCount == nil)
        }
        let config = try #require(images[1].config)
        // The manifest of the second image, its config and its own layer.
        #expect(Set(asked) == ["1", "\(config.digest)", "\(images[1].layers[1].digest)"])
        #expect(asked.count == 3)
        #expect(try terminal.scratch.read("new.tar") == terminal.scratch.read("whole.tar"))
    }

    @Test func `what an earlier bundle has wrong is told, and is fetched`() async throws {
        #expect(try await bundle("-o", "old.tar").status == 0)
        let whole = try terminal.scratch.read("old.tar")
        let layer = images[0].layers[0]
        let entry = try #require(TarBytes.entries(of: whole).first { $0.path.hasSuffix(layer.digest.hex) })
        var bytes = whole
        bytes[entry.range.lowerBound + 1000] ^= 1
        try terminal.scratch.write(bytes, to: "old.tar")
        let total = Set(images.flatMap(\.blobs).map(\.descriptor)).reduce(0) { $0 + $1.size }
        let rest = ByteText.size(total - layer.descriptor.size)
        let note = "old.tar: \(layer.digest) is not what its digest says; it was not taken from there"
        let asked = try await fetches {
            expect(
                try await bundle("-o", "new.tar", "--reuse", "old.tar"),
                status: 0,
                output: "bundled  \(names[0])  \(images[0].digest)\nbundled  \(names[1])  \(images[1].digest)\n",
                errors:
                    "5 blobs, 701 kB to go\n\(note)\nnew.tar: 2 images, 5 blobs, 713 kB (\(rest) from earlier bundles)\n"
            )
        }
        #expect(asked == ["\(layer.digest)"])
        #expect(try terminal.scratch.read("new.tar") == whole)
        let quiet = try await bundle("-o", "quiet.tar", "--reuse", "old.tar", "-q", "--json")
        #expect(quiet.errorText == "")
        #expect(try ReportDocument(quiet.output).notes == [note])
        #expect(try terminal.scratch.names() == ["new.tar", "old.tar", "quiet.tar"])
    }

    /// What is given as an earlier bundle, and what is said of it.
    @Test(arguments: [
        ("none.tar", "reading none.tar: opening it: no such file or directory"), ("text.tar", "reading text.tar: "),
        (".", "reading .: it is no OCI image layout: it has no oci-layout"),
    ])
    func `what is no bundle is refused before anything is asked for`(path: String, message: String) async throws {
        try terminal.scratch.write("precious", to: "text.tar")
        let outcome = try await bundle("-o", "new.tar", "--reuse", path)
        #expect(outcome.status == 1)
        #expect(outcome.errorText.hasPrefix("error: \(message)"), "\(outcome.errorText)")
        #expect(outcome.errorText.count { $0 == "\n" } == 1)
        #expect(site.requests.isEmpty)
        #expect(try terminal.scratch.names() == ["text.tar"])
    }

    @Test func `a bundle may be made anew from itself`() async throws {
        #expect(try await bundle("-o", "bundle.tar").status == 0)
        let whole = try terminal.scratch.read("bundle.tar")
        let asked = try await fetches {
            let outcome = try await bundle("-o", "bundle.tar", "--force", "--reuse", "bundle.tar")
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
        #expect(asked == [])
        #expect(try terminal.scratch.read("bundle.tar") == whole)
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }
}
