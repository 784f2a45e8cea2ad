import Drayage
import Foundation
import RegistryTestSupport
import TestSupport
import Testing

/// What an earlier bundle has is not fetched again.
@Suite struct ReusedBundleTests {
    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let images: [TestImage]
    private let names: [String]

    init() async throws {
        (workshop, source) = (try Workshop(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 350)
        let shared = try builder.layer(byteCount: 100_000)
        images = [try builder.multiPlatform(sharing: [shared]), try builder.image(layers: [shared, builder.layer()])]
        for (number, image) in images.enumerated() { try source.add(image, "app-\(number)") }
        names = images.indices.map { [source] in "\(source.address)/app-\($0):1" }
    }

    private func expectSame(as names: [String]) async throws {
        _ = try await workshop.bundle(names, to: "whole.tar")
        let (one, other) = (try workshop.scratch.read("bundle.tar"), try workshop.scratch.read("whole.tar"))
        #expect(one.elementsEqual(other))
    }

    @Test func `of what has not changed nothing but the tags is asked for`() async throws {
        _ = try await workshop.bundle(names, to: "old.tar")
        let report = try await workshop.bundle(names, referrers: false, reuse: ["old.tar"])
        #expect(report.outcome == .done)
        #expect(report.totals?.reusedByteCount == report.totals?.byteCount)
        #expect(report.totals?.fetchedByteCount == 0)
        #expect(report.totals?.requestCount == 2)
        let (one, other) = (try workshop.scratch.read("bundle.tar"), try workshop.scratch.read("old.tar"))
        #expect(one.elementsEqual(other))
        #expect(try workshop.scratch.names() == ["bundle.tar", "old.tar"])
        let requests = try await source.finish()
        #expect(
            requests.suffix(2).map(\.line).sorted() == ["HEAD /v2/app-0/manifests/1", "HEAD /v2/app-1/manifests/1"]
        )
    }

    @Test func `several bundles give what they have, and the rest is fetched`() async throws {
        _ = try await workshop.bundle([names[0]], to: "one.tar")
        _ = try await workshop.bundle([names[1]], to: "two.tar")
        var builder = ImageBuilder(seed: 351)
        let new = try builder.image()
        let all = names + [try source.add(new, "new")]
        let report = try await workshop.bundle(all, reuse: ["one.tar", "two.tar"])
        #expect(report.totals?.fetchedByteCount == new.blobs.reduce(0) { $0 + $1.descriptor.size })
        #expect(report.totals.map { $0.reusedByteCount == $0.byteCount - ($0.fetchedByteCount ?? 0) } == true)
        try await expectSame(as: all)
    }

    @Test func `a bundle is made from the one that it replaces`() async throws {
        _ = try await workshop.bundle(names)
        var builder = ImageBuilder(seed: 352)
        let all = names + [try source.add(builder.image(), "new")]
        var options = Synchronizer.Options()
        options.replacesExisting = true
        options.reusedBundles = [workshop.path()]
        let report = try await Synchronizer(connections: workshop.connections)
            .bundle(try all.map { try Reference(parsing: $0) }, to: workshop.path(), options: options)
        #expect(report.totals?.reusedByteCount.map { $0 > 100_000 } == true)
        try await expectSame(as: all)
    }

    @Test func `what is damaged in it is told and fetched`() async throws {
        _ = try await workshop.bundle(names, to: "old.tar")
        var bytes = try workshop.scratch.read("old.tar")
        let layer = images[1].layers[0]
        let start = try #require(bytes.firstRange(of: try layer.bytes.prefix(64))).lowerBound
        bytes[start + 200] ^= 1
        try workshop.scratch.write(bytes, to: "old.tar")
        let report = try await workshop.bundle(names, reuse: ["old.tar"])
        #expect(report.outcome == .done)
        let path = workshop.path("old.tar")
        #expect(report.notes == ["\(path): \(layer.digest) is not what its digest says; it was not taken from there"])
        #expect(report.totals?.fetchedByteCount == layer.descriptor.size)
        try await expectSame(as: names)
    }

    @Test func `what cannot be read of it any more is told and fetched`() async throws {
        _ = try await workshop.bundle(names, to: "old.tar")
        let path = workshop.path("old.tar")
        let report = try await workshop.bundle(names, reuse: ["old.tar"]) { event in
            // It has been opened by now.
            if case .planned = event { truncate(path, 4096) }
        }
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        let blobs = Set(images.flatMap(\.blobs).map(\.digest))
        #expect(report.notes.count == blobs.count)
        #expect(report.totals?.reusedByteCount == 0)
        try await expectSame(as: names)
    }

    @Test func `a plan knows what an earlier bundle has`() async throws {
        _ = try await workshop.bundle([names[0]], to: "old.tar")
        var options = Synchronizer.Options()
        options.reusedBundles = [workshop.path("old.tar")]
        let references = try names.map { try Reference(parsing: $0) }
        let report = try await Synchronizer(connections: workshop.connections).plan(references, options: options)
        #expect(report.totals?.reusedByteCount == images[0].blobs.reduce(0) { $0 + $1.descriptor.size })
        // Of the one image the tag is looked up; of the other the manifest is fetched as well. Of each it is asked what
        // refers to its three manifests, and which tags there are.
        #expect(report.totals?.requestCount == 9)
    }

    @Test func `a bundle that cannot be read is an error before anything is asked for`() async throws {
        try workshop.scratch.write("no bundle", to: "old.tar")
        for name in ["old.tar", "missing.tar"] {
            await #expect(throws: (any Error).self) { try await workshop.bundle(names, reuse: [name]) }
        }
        #expect(try workshop.scratch.names() == ["old.tar"])
        #expect(try await source.finish().isEmpty)
    }
}
