import Drayage
import Foundation
import RegistryTestSupport
import TestSupport
import Testing

/// Images that go from one registry to another, with nothing in between.
@Suite(.timeLimit(.minutes(5))) struct CopyTests {
    private var workshop: Workshop

    init() throws { workshop = try Workshop() }

    private func copy(
        _ names: [String],
        to target: String,
        force: Bool = false,
        dryRun: Bool = false,
        keepHost: Bool = false,
        platforms: [String] = [],
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        var options = Synchronizer.Options()
        options.replacesExisting = force
        options.includesReferrers = workshop.includesReferrers
        options.platforms = try platforms.map { try #require(PlatformSelector(parsing: $0)) }
        let report = try await Synchronizer(connections: workshop.connections, progress: progress).copy(
            try names.map { try Reference(parsing: $0) },
            to: NameMapping(target: try RegistryTarget(parsing: target), keepsHost: keepHost),
            options: options,
            isDryRun: dryRun
        )
        #expect(report.command == "copy")
        #expect(TestSecrets.found(in: Array(String(reflecting: report).utf8)) == [])
        return report
    }

    // MARK: - What arrives

    @Test(arguments: RegistryKind.allCases, RegistryKind.allCases)
    func `images of every form arrive as they are`(from: RegistryKind, to: RegistryKind) async throws {
        let (source, target) = (try await from.start(), try await to.start())
        var builder = ImageBuilder(seed: 1400)
        let shared = try builder.layer()
        let images = [
            try builder.image(layers: [shared, builder.opaqueLayer(byteCount: 3_000_000)]),
            try builder.multiPlatform(sharing: [shared], attested: true),
            try builder.artifact(), try builder.image(layers: []), try builder.image(layers: [try TestBlob(empty: ())]),
        ]
        let names = try images.enumerated().map { try source.add($1, "team/app\($0)") }
        let report = try await copy(names, to: target.address)
        #expect(report.failures.map(\.message) == [])
        #expect(report.outcome == .done)
        for (number, image) in images.enumerated() {
            try expect(target.storage, has: image, "team/app\(number)", tag: "1")
        }
        #expect(report.images.map(\.reference) == names)
        #expect(report.images.map(\.status) == names.map { _ in .pushed })
        #expect(report.images.map(\.target) == (0..<5).map { "\(target.address)/team/app\($0):1" })
        // Nothing but what is configured is written here.
        #expect(try workshop.scratch.names() == [])
        // The shared layer crosses the wire once on either side.
        let requests = (try await source.finish(), try await target.finish())
        #expect(requests.0.count("GET", containing: "\(shared.digest)") == 1)
        let uploads = report.blobs?.filter { $0.digest == shared.digest && $0.status == .uploaded } ?? []
        #expect(uploads.count == 1)
    }

    @Test func `what refers to images comes along`() async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 1401)
        let image = try builder.image()
        let signature = try builder.artifact(type: "application/vnd.example.signature", subject: image)
        let name = try source.add(image, "app")
        try source.storage.add(signature, repository: "app")
        let report = try await copy([name], to: target.address)
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.referrerCount) == [1])
        try expect(target.storage, has: signature, "app")
    }

    @Test func `a platform is what is copied where one is asked for`() async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 1402)
        let image = try builder.multiPlatform()
        let report = try await copy([try source.add(image, "app")], to: target.address, platforms: ["linux/amd64"])
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.originalDigest) == [image.digest])
        try expect(target.storage, has: image.children[0], "app")
        #expect(try !target.storage.revisions(repository: "app").contains(image.children[1].digest))
    }

    @Test func `a plan changes nothing`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1403)
        let image = try builder.image()
        let report = try await copy([try source.add(image, "app")], to: target.address, dryRun: true)
        #expect(report.images.map(\.status) == [.planned])
        #expect(report.totals?.uploadCount == 2)
        #expect(target.registry.requests.allSatisfy { ["HEAD", "GET"].contains($0.method) })
        #expect(source.registry.count("GET", containing: "/blobs/") == 0)
    }

    // MARK: - What is there

    @Test func `what the target has is skipped, and its source not asked`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1404)
        let (old, new, other) = (try builder.image(), try builder.image(), try builder.image())
        let names = [try source.add(new, "app"), try source.add(other, "other")]
        try target.add(old, "app")
        let report = try await copy(names, to: target.address)
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.status) == [.skipped, .pushed])
        #expect(report.images.map(\.previousDigest) == [old.digest, nil])
        try expect(target.content, has: old, "app", tag: "1")
        try expect(target.content, has: other, "other", tag: "1")
        #expect(source.registry.requests.allSatisfy { !$0.path.contains("/app/") })
        // Once more there is nothing to do, and that is one request for each.
        let before = (source.registry.requests.count, target.registry.requests.count)
        let again = try await copy(names, to: target.address)
        #expect(again.images.map(\.status) == [.skipped, .skipped])
        #expect(again.totals?.requestCount == 2)
        #expect((source.registry.requests.count, target.registry.requests.count) == (before.0, before.1 + 2))
    }

    @Test func `with force tags get what they mean now`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1405)
        let (old, new, same) = (try builder.image(), try builder.image(), try builder.image())
        let names = [try source.add(new, "app"), try source.add(same, "same")]
        try target.add(old, "app")
        try target.add(same, "same")
        let report = try await copy(names, to: target.address, force: true)
        #expect(report.images.map(\.status) == [.pushed, .upToDate])
        #expect(report.images.map(\.previousDigest) == [old.digest, nil])
        try expect(target.content, has: new, "app", tag: "1")
    }

    @Test func `an image that is asked for by its digest is there or is not`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1406)
        let image = try builder.image()
        try source.add(image, "app")
        let name = "\(source.address)/app@\(image.digest)"
        #expect(try await copy([name], to: target.address).images.map(\.status) == [.pushed])
        #expect(try await copy([name], to: target.address).images.map(\.status) == [.upToDate])
    }

    /// `name:tag@digest` is put under its tag, so that is what is asked about.
    @Test func `a tag that is there is not overwritten for a digest that is not`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1410)
        let (old, new) = (try builder.image(), try builder.image())
        try source.add(new, "app")
        try target.add(old, "app")
        let name = "\(source.address)/app:1@\(new.digest)"
        let report = try await copy([name], to: target.address)
        #expect(report.outcome == .failed)
        #expect(report.images.map(\.status) == [.failed])
        let message =
            "\(target.address)/app:1 has the digest \(old.digest), and \(new.digest) is asked for; --force overwrites it"
        #expect(report.failures.map(\.message) == [message])
        try expect(target.content, has: old, "app", tag: "1")
        #expect(try await copy([name], to: target.address, force: true).images.map(\.status) == [.pushed])
        try expect(target.content, has: new, "app", tag: "1")
    }

    @Test func `what is there without the tag gets it`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1411)
        let image = try builder.image()
        try source.add(image, "app")
        try target.content.add(image, repository: "app")
        let name = "\(source.address)/app:1@\(image.digest)"
        #expect(try await copy([name], to: target.address).images.map(\.status) == [.pushed])
        try expect(target.content, has: image, "app", tag: "1")
        #expect(try await copy([name], to: target.address).images.map(\.status) == [.upToDate])
    }

    @Test func `a tag and the same with its digest are one image`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1412)
        let image = try builder.image()
        let name = try source.add(image, "app")
        let report = try await copy([name, "\(name)@\(image.digest)"], to: target.address)
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.status) == [.pushed])
    }

    @Test func `what failed keeps the digest that was asked for`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1413)
        let digest = try builder.image().digest
        let report = try await copy(["\(source.address)/app:1@\(digest)"], to: target.address)
        #expect(report.images.map(\.reference) == ["\(source.address)/app:1"])
        #expect(report.images.map(\.requested) == ["\(source.address)/app:1@\(digest)"])
    }

    // MARK: - Within one registry

    @Test(arguments: RegistryKind.allCases)
    func `within one registry blobs are mounted`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        var builder = ImageBuilder(seed: 1407)
        let image = try builder.multiPlatform()
        let report = try await copy([try registry.add(image, "app")], to: "\(registry.address)/copies")
        #expect(report.failures.map(\.message) == [])
        try expect(registry.storage, has: image, "copies/app", tag: "1")
        #expect(report.totals?.uploadCount == 0)
        #expect(report.totals?.mountCount == image.blobs.count)
        #expect(try await registry.finish().count("GET", containing: "/blobs/") == 0)
    }

    /// Each upload has a slot, and so would each download: with one slot of a registry they would wait for each other.
    @Test(arguments: [1, 4]) func `where it does not mount, they go out and in again`(parallelism: Int) async throws {
        let registry = try Source { request in
            guard request.method == "POST", request.query["mount"] != nil else { return nil }
            return .error(405, "UNSUPPORTED")
        }
        var copier = self
        copier.workshop.connections.parallelism = parallelism
        var builder = ImageBuilder(seed: 1408)
        let image = try builder.multiPlatform()
        let name = try registry.add(image, "app")
        let report = try await copier.copy([name], to: "\(registry.address)/copies")
        #expect(report.failures.map(\.message) == [])
        try expect(registry.content, has: image, "copies/app", tag: "1")
        #expect(report.totals?.uploadCount == image.blobs.count)
    }

    // MARK: - Names

    @Test func `two images that would get one name are an error before anything is asked`() async throws {
        let (one, two, target) = (try Source(), try Source(), try Source())
        let names = ["\(one.address)/app:1", "\(two.address)/app:1"]
        let error = await #expect(throws: DrayageError.self) { try await copy(names, to: target.address) }
        #expect(error?.code == .nameCollision)
        #expect(one.registry.requests.isEmpty && two.registry.requests.isEmpty && target.registry.requests.isEmpty)
    }

    @Test func `one that is not there does not keep the others away`() async throws {
        let (source, target) = (try Source(), try Source())
        var builder = ImageBuilder(seed: 1409)
        let image = try builder.image()
        let names = [try source.add(image, "app"), "\(source.address)/missing:1"]
        let report = try await copy(names, to: target.address)
        #expect(report.outcome == .partial)
        #expect(report.images.map(\.status) == [.pushed, .failed])
        #expect(report.failures.count == 1)
        #expect(report.failures.first?.message.contains("\(source.address)/missing:1") == true)
        try expect(target.content, has: image, "app", tag: "1")
    }
}

extension TestBlob {
    /// A layer of no bytes.
    fileprivate init(empty: Void) throws {
        try self.init(
            bytes: [],
            mediaType: MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar"),
            diffID: try Digest.of([])
        )
    }
}
