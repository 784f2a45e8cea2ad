import Drayage
import Foundation
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// Bundles that are made of files alone.
@Suite struct BundleFromFilesTests {
    private let workshop: Workshop
    private let source: Source

    init() throws { (workshop, source) = (try Workshop(), try Source(takesSparseIndexes: true)) }

    private func make(
        _ names: [String] = [],
        from files: [String],
        to file: String = "out.tar",
        naming name: String? = nil,
        keepGoing: Bool = false,
        referrers: Bool = true
    ) async throws -> Report {
        var options = Synchronizer.Options()
        options.keepGoing = keepGoing
        options.includesReferrers = referrers
        var reading = ReadingOptions()
        reading.imageName = try name.map { try Reference(parsing: $0) }
        let synchronizer = Synchronizer(connections: workshop.connections, reading: reading)
        return try await synchronizer.bundle(
            try names.map { try Reference(parsing: $0) },
            from: files.map { workshop.path($0) },
            to: workshop.path(file),
            options: options
        )
    }

    /// Writes a layout of another program, of one image with an annotation.
    private func write(_ image: TestImage, annotation: String, _ value: String, to file: String) throws {
        let top = image.top
        let entry = """
            {"mediaType":"\(top.mediaType)","digest":"\(top.digest)","size":\(top.size),\
            "annotations":{"\(annotation)":"\(value)"}}
            """
        var files = [
            TarBytes.File("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            TarBytes.File("index.json", Array(#"{"schemaVersion":2,"manifests":[\#(entry)]}"#.utf8)),
        ]
        files += try image.allBytes.map { TarBytes.File("blobs/sha256/\($0.key.hex)", $0.value) }
        try workshop.scratch.write(TarBytes.archive(files), to: file)
    }

    // MARK: - The same again

    /// How a bundle was made that is read.
    private enum Made: String, CaseIterable {
        case whole
        case stripped
        case sparse
        case foreign
    }

    @Test(arguments: Made.allCases, ImageBuilder.Family.allCases)
    private func `what bundle wrote is the same bytes again`(made: Made, family: ImageBuilder.Family) async throws {
        var builder = ImageBuilder(seed: 1300, family: family)
        let shared = try builder.layer()
        let many = try builder.multiPlatform(sharing: [shared], attested: true)
        let signed = try builder.image(layers: [shared])
        let names = [
            try source.add(many, "many"), try source.add(signed, "signed"), try source.add(signed, "signed", tag: "2"),
            "\(source.address)/signed@\(signed.digest)",
        ]
        try source.content.add(try builder.artifact(subject: signed), repository: "signed")
        try source.content.add(try builder.artifact(subject: many.children[0]), repository: "many")
        let platforms = made == .stripped || made == .sparse ? ["linux/amd64"] : []
        let report = try await workshop.bundle(
            names,
            platforms: platforms,
            sparse: made == .sparse ? .keep : .strip,
            foreign: made == .foreign ? .include : .skip
        )
        try #require(report.failures.map(\.message) == [])
        let requests = source.registry.requests.count
        let again = try await make(from: ["bundle.tar"])
        #expect(again.failures.map(\.message) == [])
        #expect(again.outcome == .done)
        #expect(try workshop.scratch.read("out.tar") == workshop.scratch.read("bundle.tar"))
        #expect(source.registry.requests.count == requests)
        #expect(again.images.map(\.digest) == report.images.map(\.digest))
        #expect(again.images.map(\.originalDigest) == report.images.map(\.originalDigest))
        #expect(again.images.map(\.referrerCount) == report.images.map(\.referrerCount))
        #expect(again.totals?.requestCount == 0)
    }

    @Test func `a layout in a directory and a compressed one give the same bundle`() async throws {
        var builder = ImageBuilder(seed: 1301)
        let name = try source.add(try builder.multiPlatform(), "app")
        _ = try await workshop.bundle([name])
        let directory = workshop.path("layout")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        _ = try Command("tar", ["-xf", workshop.path(), "-C", directory]).check()
        try workshop.scratch.write(try Gzip.compress(try workshop.scratch.read("bundle.tar")), to: "bundle.tar.gz")
        for file in ["layout", "bundle.tar.gz"] {
            let report = try await make(from: [file], to: "\(file).out")
            #expect(report.failures.map(\.message) == [])
            #expect(try workshop.scratch.read("\(file).out") == workshop.scratch.read("bundle.tar"))
        }
    }

    // MARK: - A part

    @Test func `a part is the bundle of that part`() async throws {
        var builder = ImageBuilder(seed: 1302)
        let layer = try builder.layer()
        let (one, two) = (try builder.image(layers: [layer]), try builder.image(layers: [layer]))
        let names = [try source.add(one, "one"), try source.add(two, "two")]
        try source.content.add(try builder.artifact(subject: one), repository: "one")
        try source.content.add(try builder.artifact(subject: two), repository: "two")
        _ = try await workshop.bundle(names)
        _ = try await workshop.bundle([names[1]], to: "two.tar")
        #expect(try await make([names[1]], from: ["bundle.tar"]).outcome == .done)
        #expect(try workshop.scratch.read("out.tar") == workshop.scratch.read("two.tar"))
        _ = try await workshop.bundle([names[1]], to: "bare.tar", referrers: false)
        #expect(try await make([names[1]], from: ["bundle.tar"], to: "b.tar", referrers: false).outcome == .done)
        #expect(try workshop.scratch.read("b.tar") == workshop.scratch.read("bare.tar"))
    }

    @Test func `an image can be asked for by its digest`() async throws {
        var builder = ImageBuilder(seed: 1303)
        let image = try builder.image()
        let name = try source.add(image, "app")
        _ = try await workshop.bundle([name])
        let report = try await make(["\(source.address)/app@\(image.digest)"], from: ["bundle.tar"])
        #expect(report.images.map(\.reference) == [name])
    }

    @Test func `what is not there is told, and nothing is written`() async throws {
        var builder = ImageBuilder(seed: 1304)
        _ = try await workshop.bundle([try source.add(try builder.image(), "app")])
        for name in ["app:2", "other:1", "app:1@sha256:\(String(repeating: "0", count: 64))"] {
            let error = await #expect(throws: DrayageError.self) {
                try await make(["\(source.address)/\(name)"], from: ["bundle.tar"])
            }
            let text = "\(workshop.path()) has no image \(source.address)/\(name); drayage list shows what there is"
            #expect(error?.description == text)
        }
        #expect(try workshop.scratch.names() == ["bundle.tar"])
    }

    // MARK: - Several

    @Test func `several become one, each blob once`() async throws {
        var builder = ImageBuilder(seed: 1305)
        let layer = try builder.layer()
        let images = [
            try builder.image(layers: [layer]), try builder.multiPlatform(sharing: [layer]), try builder.image(),
        ]
        let names = try ["a", "b", "c"].enumerated().map { try source.add(images[$0], $1) }
        _ = try await workshop.bundle([names[0], names[1]], to: "one.tar")
        _ = try await workshop.bundle([names[1], names[2]], to: "two.tar")
        _ = try await workshop.bundle(names, to: "all.tar")
        let paths = ["one.tar", "two.tar"].map { workshop.path($0) }
        let report = try await Synchronizer(connections: workshop.connections).merge(
            paths,
            to: workshop.path("out.tar")
        )
        #expect(report.command == "merge")
        #expect(report.failures.map(\.message) == [])
        #expect(try workshop.scratch.read("out.tar") == workshop.scratch.read("all.tar"))
        #expect(report.blobs?.allSatisfy { $0.status == .reused && paths.contains($0.source ?? "") } == true)
    }

    @Test func `what refers to an image may be in another file`() async throws {
        var builder = ImageBuilder(seed: 1310)
        let image = try builder.image()
        let signature = try builder.artifact(subject: image)
        let name = try source.add(image, "app")
        _ = try await workshop.bundle([name], to: "image.tar")
        try source.content.add(signature, repository: "app")
        _ = try await workshop.bundle([name], to: "both.tar")
        try write(signature, annotation: "io.containerd.manifest.subject", "\(image.digest)", to: "signature.tar")
        let report = try await make(from: ["image.tar", "signature.tar"])
        #expect(report.notes == [])
        #expect(report.images.map(\.referrerCount) == [1])
        // Where no image is, it is left out, and that is told.
        let alone = try await make(from: ["signature.tar", "image.tar"], to: "alone.tar", referrers: false)
        #expect(alone.outcome == .done)
    }

    /// Whichever comes first.
    @Test(arguments: [false, true]) func `parts of one image become the whole of them`(isReversed: Bool) async throws {
        var builder = ImageBuilder(seed: 1311)
        let name = try source.add(try builder.multiPlatform(), "app")
        for platform in ["amd64", "arm64"] {
            _ = try await workshop.bundle(
                [name],
                to: "\(platform).tar",
                platforms: ["linux/\(platform)"],
                sparse: .keep
            )
        }
        _ = try await workshop.bundle([name], to: "all.tar")
        let parts = ["amd64.tar", "arm64.tar"]
        for files in [parts, ["amd64.tar", "all.tar"]] {
            #expect(try await make(from: isReversed ? files.reversed() : files, to: "\(files[1]).out").outcome == .done)
            #expect(try workshop.scratch.read("\(files[1]).out") == workshop.scratch.read("all.tar"))
        }
    }

    @Test func `what is excluded is left out, and a repository means all of its images`() async throws {
        var builder = ImageBuilder(seed: 1312)
        let names = [
            try source.add(try builder.image(), "app"), try source.add(try builder.image(), "app", tag: "2-debug"),
            try source.add(try builder.image(), "other"),
        ]
        _ = try await workshop.bundle(names)
        let synchronizer = Synchronizer(connections: workshop.connections)
        let pattern = try ImagePattern(parsing: "*:*-debug")
        let report = try await synchronizer.bundle(
            [try Reference(parsing: "\(source.address)/app")],
            from: [workshop.path()],
            excluding: [pattern],
            to: workshop.path("out.tar")
        )
        #expect(report.images.map(\.reference) == [names[0]])
    }

    @Test func `one name with two contents is an error that names both files`() async throws {
        var builder = ImageBuilder(seed: 1306)
        let (old, new) = (try builder.image(), try builder.image())
        let name = try source.add(old, "app")
        _ = try await workshop.bundle([name], to: "old.tar")
        try source.add(new, "app")
        _ = try await workshop.bundle([name], to: "new.tar")
        let error = await #expect(throws: DrayageError.self) { try await make(from: ["old.tar", "new.tar"]) }
        #expect(error?.code == .nameCollision)
        #expect(
            error?.description == """
                \(name) is \(old.digest) in \(workshop.path("old.tar")) and \(new.digest) in \(workshop.path("new.tar")); \
                a bundle has one image of a name
                """
        )
    }

    // MARK: - Damage

    @Test(arguments: [false, true])
    func `a damaged blob keeps its image away, and no registry is asked`(keepGoing: Bool) async throws {
        var builder = ImageBuilder(seed: 1307)
        let (good, bad) = (try builder.image(), try builder.image())
        let names = [try source.add(good, "good"), try source.add(bad, "bad")]
        _ = try await workshop.bundle(names)
        let requests = source.registry.requests.count
        let range = try #require(try LayoutReader(path: workshop.path()).range(of: bad.layers[0].digest))
        var bytes = try workshop.scratch.read("bundle.tar")
        bytes[Int(range.lowerBound)] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        let report = try await make(from: ["bundle.tar"], keepGoing: keepGoing)
        #expect(report.outcome == (keepGoing ? .partial : .failed))
        #expect(report.exitStatus == (keepGoing ? .partial : .unverified))
        #expect(report.failures.map(\.subject) == [names[1]])
        let message = report.failures.first?.message ?? ""
        #expect(message.contains("\(workshop.path()): the blob \(bad.layers[0].digest) is not what its digest says"))
        #expect(source.registry.requests.count == requests)
        #expect(workshop.scratch.contains("out.tar") == keepGoing)
        guard keepGoing else { return }
        _ = try await workshop.bundle([names[0]], to: "good.tar")
        #expect(try workshop.scratch.read("out.tar") == workshop.scratch.read("good.tar"))
    }

    /// The same command goes on with what an interrupted one has copied.
    @Test func `what was copied is not copied again`() async throws {
        var builder = ImageBuilder(seed: 1308)
        let (good, bad) = (try builder.image(), try builder.image())
        let names = [try source.add(good, "good"), try source.add(bad, "bad")]
        _ = try await workshop.bundle(names)
        let whole = try workshop.scratch.read("bundle.tar")
        let range = try #require(try LayoutReader(path: workshop.path()).range(of: bad.layers[0].digest))
        var bytes = whole
        bytes[Int(range.lowerBound)] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        #expect(try await make(from: ["bundle.tar"]).outcome == .failed)
        try workshop.scratch.write(whole, to: "bundle.tar")
        let report = try await make(from: ["bundle.tar"])
        #expect(report.failures.map(\.message) == [])
        #expect(report.totals?.keptByteCount ?? 0 > 0)
        #expect(try workshop.scratch.read("out.tar") == whole)
    }

    // MARK: - Names

    @Test func `images without a whole name get one`() async throws {
        var builder = ImageBuilder(seed: 1309)
        let image = try builder.image()
        try write(image, annotation: "org.opencontainers.image.ref.name", "3.20", to: "umoci.tar")
        let error = await #expect(throws: DrayageError.self) { try await make(from: ["umoci.tar"]) }
        #expect(error?.description.hasSuffix("has a tag for a name and no repository; --name says which it is") == true)
        let report = try await make(from: ["umoci.tar"], naming: "alpine")
        #expect(report.images.map(\.reference) == ["docker.io/library/alpine:3.20"])
        #expect(
            try LayoutReader(path: workshop.path("out.tar")).images.map(\.name) == ["docker.io/library/alpine:3.20"]
        )
    }
}
