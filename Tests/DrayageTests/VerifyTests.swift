import Drayage
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct VerifyTests {
    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let images: [(name: String, image: TestImage)]

    init() async throws {
        (workshop, source) = (try Workshop(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 120)
        let shared = try builder.layer(byteCount: 3000)
        images = [
            (try source.add(builder.image(layers: [shared]), "a"), try builder.image()),
            (try source.add(builder.multiPlatform(sharing: [shared]), "b"), try builder.image()),
        ]
        _ = try await workshop.bundle(images.map(\.name))
    }

    private var blobs: [TarBytes.Entry] {
        get throws {
            TarBytes.entries(of: try workshop.scratch.read("bundle.tar")).filter { $0.path.contains("/sha256/") }
        }
    }

    @Test func `a whole bundle is verified`() async throws {
        let report = try await workshop.verify()
        #expect(report.outcome == .done)
        #expect(report.exitStatus == .done)
        #expect(report.images.map(\.status) == [.verified, .verified])
        // Three configs, the shared layer and two of the index's own.
        #expect(report.totals?.blobCount == 6)
    }

    @Test func `a flipped bit is found wherever it is in a blob`() async throws {
        let bytes = try workshop.scratch.read("bundle.tar")
        #expect(try blobs.count == 6 + 4)
        for entry in try blobs {
            let digest = "sha256:" + entry.path.suffix(64)
            for place in [
                entry.range.lowerBound, entry.range.lowerBound + entry.range.count / 2, entry.range.upperBound - 1,
            ] {
                var damaged = bytes
                damaged[place] ^= 0x20
                try workshop.scratch.write(damaged, to: "damaged.tar")
                let report = try await workshop.verify("damaged.tar")
                #expect(report.exitStatus == .unverified)
                #expect(report.failures.contains { $0.subject == digest }, "\(entry.path) at \(place)")
                #expect(
                    report.failures.first { $0.subject == digest }?.message.contains(
                        "what should be \(digest) is sha256:"
                    ) == true
                )
                #expect(report.images.contains { $0.status == .failed })
            }
        }
    }

    @Test func `all damage is told, with the images that it hits`() async throws {
        var bytes = try workshop.scratch.read("bundle.tar")
        let layers = try blobs.suffix(3)
        for layer in layers { bytes[layer.range.lowerBound] ^= 1 }
        try workshop.scratch.write(bytes, to: "damaged.tar")
        let report = try await workshop.verify("damaged.tar")
        #expect(report.failures.map(\.subject) == layers.map { "sha256:" + $0.path.suffix(64) })
        #expect(report.images.map(\.status) == [.failed, .failed])
    }

    @Test func `each blob that is missing is told`() async throws {
        let bytes = try workshop.scratch.read("bundle.tar")
        let entries = TarBytes.entries(of: bytes)
        for missing in try blobs {
            let digest = "sha256:" + missing.path.suffix(64)
            let rest = entries.filter { $0.path != missing.path }.map { TarBytes.File($0.path, Array(bytes[$0.range])) }
            try workshop.scratch.write(TarBytes.archive(rest), to: "damaged.tar")
            let report = try await workshop.verify("damaged.tar")
            #expect(report.exitStatus == .unverified)
            #expect(report.failures.map(\.subject) == [digest])
            #expect(report.failures.first?.message.contains("\(digest) is missing, needed by ") == true)
            for use in ["list", "push"] {
                let error = await #expect(throws: DrayageError.self) {
                    if use == "push" { return try await workshop.push("damaged.tar", to: source.address) }
                    return try await Lister().list(bundle: workshop.path("damaged.tar"))
                }
                #expect(error?.code == .unverified)
                #expect(error?.description.contains("\(digest) is missing") == true)
            }
        }
    }
}

/// A bundle against a registry.
@Suite struct VerifyTargetTests {
    private let workshop: Workshop
    private let target: EmbeddedRegistry
    private let (image, index): (TestImage, TestImage)

    init() async throws {
        workshop = try Workshop()
        let (source, filled) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 130)
        (image, index) = (try builder.image(), try builder.multiPlatform())
        _ = try await workshop.bundle([try source.add(image, "image"), try source.add(index, "index")])
        _ = try await workshop.push(to: filled.address + "/p")
        _ = try await filled.finish()
        target = try await EmbeddedRegistry(on: filled.storage)
    }

    private func failures() async throws -> [String] {
        let report = try await workshop.verify(at: target.address + "/p")
        #expect(report.exitStatus == (report.failures.isEmpty ? .done : .unverified))
        #expect(report.failures.isEmpty == report.images.allSatisfy { $0.status == .verified })
        return report.failures.map(\.message)
    }

    @Test func `a registry that has everything is verified, with one question for each thing`() async throws {
        #expect(try await failures() == [])
        let requests = try await target.finish()
        #expect(requests.allSatisfy { $0.method == "HEAD" })
        #expect(requests.count == 2 + 2 + image.blobs.count + index.blobs.count)
    }

    @Test func `a tag that is missing or has another digest is told`() async throws {
        let name = "\(target.address)/p/image:1"
        try target.storage.add(index, repository: "p/image", tag: "1")
        #expect(try await failures() == ["\(name) has the digest \(index.digest), the bundle has \(image.digest)"])
        let report = try await workshop.verify(at: target.address + "/q")
        #expect(
            report.failures.map(\.message).filter { $0.contains(":1 ") } == [
                "\(target.address)/q/image:1 is missing; the bundle has it with \(image.digest)",
                "\(target.address)/q/index:1 is missing; the bundle has it with \(index.digest)",
            ]
        )
    }

    @Test func `a blob that is missing is told`() async throws {
        let blob = image.layers[0].digest
        try target.storage.removeBlob(blob)
        #expect(try await failures() == ["the blob \(target.address)/p/image@\(blob) is missing"])
    }

    @Test func `a child manifest that is missing is told`() async throws {
        let child = index.children[1].digest
        try target.storage.removeBlob(child)
        #expect(try await failures() == ["the manifest \(target.address)/p/index@\(child) is missing"])
    }
}
