import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct LayoutPlanTests {
    /// A known entry as text.
    private func text(_ path: String, of plan: LayoutPlan) -> String? {
        plan.known.first { $0.path == path }.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    private struct DockerEntry: Decodable, Equatable {
        let config: String
        let tags: [String]
        let layers: [String]

        private enum CodingKeys: String, CodingKey {
            case config = "Config"
            case tags = "RepoTags"
            case layers = "Layers"
        }
    }

    private func dockerEntries(of plan: LayoutPlan) throws -> [DockerEntry] {
        let json = try #require(text("manifest.json", of: plan))
        return try JSONDecoder().decode([DockerEntry].self, from: Data(json.utf8))
    }

    @Test func `a bundle is laid out as promised, to the byte`() throws {
        var builder = ImageBuilder(seed: 1)
        let image = try builder.image(layers: [
            builder.opaqueLayer(byteCount: 700), builder.opaqueLayer(byteCount: 512),
        ])
        let name = "docker.io/library/alpine:3.20"
        let plan = try NamedImages([(name, image)]).plan
        let digest = image.digest
        #expect(
            plan.known.map(\.path) == ["oci-layout", "index.json", "manifest.json", blobPath(digest)]
        )
        #expect(text("oci-layout", of: plan) == #"{"imageLayoutVersion":"1.0.0"}"#)
        let annotations =
            #"{"io.containerd.image.name":"\#(name)","org.opencontainers.image.ref.name":"\#(name)"}"#
        let type = "application/vnd.oci.image.manifest.v1+json"
        #expect(
            text("index.json", of: plan)
                == #"{"manifests":[{"annotations":\#(annotations),"digest":"\#(digest)","mediaType":"\#(type)","#
                + #""size":\#(image.top.size)}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
        )
        let config = try #require(image.config)
        let layers = image.layers.map { #""\#(blobPath($0.digest))""# }.joined(separator: ",")
        #expect(
            text("manifest.json", of: plan)
                == #"[{"Config":"\#(blobPath(config.digest))","Layers":[\#(layers)],"RepoTags":["\#(name)"]}]"#
        )
        #expect(plan.known.map(\.headerOffset).prefix(2) == [0, 1024])
        var end: Int64 = 0
        let places =
            plan.known.map { ($0.headerOffset, $0.offset, Int64($0.bytes.count)) }
            + plan.blobs.map { ($0.headerOffset, $0.offset, $0.descriptor.size) }
        for (header, data, size) in places {
            #expect(header == end)
            #expect(data == header + 512)
            end = data + (size + 511) / 512 * 512
        }
        #expect(plan.byteCount == end + 1024)
        #expect(plan.blobs.map(\.descriptor.digest) == [config.digest] + image.layers.map(\.digest).sorted())
    }

    @Test func `the order in which images come does not matter`() throws {
        var builder = ImageBuilder(seed: 2)
        var images: [(String, TestImage)] = []
        let shared = try builder.layer()
        for number in 0..<9 {
            let image = try builder.multiPlatform(sharing: [shared], attested: number % 3 == 0)
            images.append(("registry.example/app/\(number):1", image))
        }
        // The same name twice, and one image under two names.
        images.append(images[4])
        images.append(("registry.example/app/again:1", images[4].1))
        let plan = try NamedImages(images).plan
        #expect(plan.images.count == 10)
        #expect(plan.images.map(\.name) == plan.images.map(\.name).sorted())
        #expect(plan.blobs.filter { $0.descriptor.digest == shared.digest }.count == 1)
        for seed in 0..<5 {
            var generator = SplitMix64(seed: UInt64(seed))
            let other = try NamedImages(images.shuffled(using: &generator)).plan
            #expect(other.images == plan.images)
            #expect(other.blobs == plan.blobs)
            #expect(other.known.map(\.bytes) == plan.known.map(\.bytes))
            #expect(other.byteCount == plan.byteCount)
        }
    }

    @Test func `each group is sorted, and what is in two groups is in the first`() throws {
        var builder = ImageBuilder(seed: 3)
        // The empty config of an artifact is a layer of another image, and a manifest is one too.
        let artifact = try builder.artifact()
        let config = try #require(artifact.config)
        let manifest = try TestBlob(bytes: artifact.document.bytes, mediaType: .ociManifest)
        let image = try builder.image(layers: [builder.layer(), config, manifest])
        let plan = try NamedImages([("r.example/a:1", artifact), ("r.example/b:1", image)]).plan
        let documents = [artifact.digest, image.digest].sorted()
        #expect(plan.known.dropFirst(3).map(\.path) == documents.map(blobPath))
        let configs = [config.digest, try #require(image.config).digest].sorted()
        let layers = [image.layers[0].digest, artifact.layers[0].digest].sorted()
        #expect(plan.blobs.map(\.descriptor.digest) == configs + layers)
    }

    @Test func `layers that no registry holds are not planned`() throws {
        var builder = ImageBuilder(seed: 4)
        let foreign = try builder.foreignLayer()
        let image = try builder.image(layers: [foreign, builder.layer()])
        let plan = try NamedImages([("r.example/windows:1", image)]).plan
        #expect(!plan.blobs.contains { $0.descriptor.digest == foreign.digest })
        #expect(plan.blobs.count == 2)
        // Docker would look for it.
        #expect(text("manifest.json", of: plan) == nil)
    }

    @Test func `a digest of another algorithm has its own folder and a pax header`() throws {
        var builder = ImageBuilder(seed: 5, algorithm: .sha512)
        let plan = try NamedImages([("r.example/a:1", builder.image())]).plan
        #expect(plan.known.last?.path.hasPrefix("blobs/sha512/") == true)
        #expect(plan.blobs.allSatisfy { $0.offset - $0.headerOffset == 1536 })
    }

    // MARK: - Docker's list

    /// What the one entry is chosen from, and which of it is taken.
    static let choices: [(platforms: [Platform], chosen: Int?)] = [
        // The only one, whatever it is.
        ([ImageBuilder.linuxARM64], 0), ([Platform(os: "windows", architecture: "amd64")], 0),
        // linux/amd64 wherever it stands.
        ([ImageBuilder.linuxARM64, ImageBuilder.linuxAMD64], 1),
        ([Platform(os: "windows", architecture: "amd64"), ImageBuilder.linuxAMD64], 1),
        // The first of Linux.
        ([Platform(os: "windows", architecture: "amd64"), Platform(os: "linux", architecture: "s390x")], 1),
        ([ImageBuilder.linuxARM64, Platform(os: "linux", architecture: "s390x")], 0),
        // Nothing that Docker on Linux could run.
        ([Platform(os: "windows", architecture: "amd64"), Platform(os: "windows", architecture: "arm64")], nil),
    ]

    @Test(arguments: choices.indices, [false, true])
    func `Docker is given one platform of an index`(choice: Int, attested: Bool) throws {
        let (platforms, chosen) = Self.choices[choice]
        var builder = ImageBuilder(seed: 6)
        let index = try builder.multiPlatform(platforms, attested: attested)
        let plan = try NamedImages([("r.example/a:1", index)]).plan
        guard let chosen else {
            #expect(text("manifest.json", of: plan) == nil)
            return
        }
        let entry = try #require(try dockerEntries(of: plan).first)
        #expect(try entry.config == blobPath(#require(index.children[chosen].config).digest))
        #expect(entry.layers == index.children[chosen].layers.map { blobPath($0.digest) })
        #expect(entry.tags == ["r.example/a:1"])
    }

    @Test func `Docker is given tagged images only, and no artifacts`() throws {
        var builder = ImageBuilder(seed: 7)
        let untagged = try builder.image()
        let nested = try builder.nestedIndex(levels: 3)
        let images = try NamedImages([
            ("r.example/chart:1", builder.artifact()), ("r.example/untagged@\(untagged.digest)", untagged),
            ("r.example/image:1", builder.image()), ("r.example/nested:1", nested),
        ])
        let entries = try dockerEntries(of: images.plan)
        #expect(entries.map(\.tags) == [["r.example/image:1"], ["r.example/nested:1"]])
    }

    // MARK: - What cannot be planned

    @Test func `a name cannot have two images`() throws {
        var builder = ImageBuilder(seed: 8)
        let (one, other) = (try builder.image(), try builder.image())
        let error = try #require(throws: LayoutError.self) {
            try NamedImages([("r.example/a:1", one), ("r.example/a:1", other)]).plan
        }
        #expect(error.code == .conflictingNames("r.example/a:1", one.digest, other.digest))
    }

    @Test func `a digest cannot have two sizes`() throws {
        var builder = ImageBuilder(seed: 9)
        let layer = try builder.layer()
        let larger = Descriptor(
            mediaType: layer.descriptor.mediaType,
            digest: layer.digest,
            size: layer.descriptor.size + 1
        )
        let lie = TestBlob(descriptor: larger, content: .elsewhere, diffID: nil)
        let images = try NamedImages([
            ("r.example/a:1", builder.image(layers: [layer])), ("r.example/b:1", builder.image(layers: [lie])),
        ])
        let error = try #require(throws: LayoutError.self) { try images.plan }
        #expect(error.code == .conflictingSizes(layer.digest, layer.descriptor.size, larger.size))
        #expect(error.description.contains("\(layer.digest) is said to have"))
    }

    @Test func `a missing manifest is named with its image`() throws {
        var builder = ImageBuilder(seed: 10)
        let index = try builder.multiPlatform()
        let images = NamedImages([("r.example/a:1", index)])
        var documents = try images.documents
        documents[index.children[1].digest] = nil
        let error = try #require(throws: LayoutError.self) {
            try LayoutPlan(images: images.layoutImages, documents: documents)
        }
        #expect(error.code == .missingDocument(index.children[1].digest, image: "r.example/a:1"))
    }

    @Test(arguments: [[Int64.max], [Int64.max - 600], [Int64.max / 2, Int64.max / 2]])
    func `sizes that no file can have are refused`(sizes: [Int64]) throws {
        var builder = ImageBuilder(seed: 11)
        let layers = try sizes.map { try giantLayer(byteCount: $0, seed: UInt64.random(in: 0..<UInt64.max)) }
        let image = try builder.image(layers: layers)
        let error = try #require(throws: LayoutError.self) { try NamedImages([("r.example/a:1", image)]).plan }
        #expect(error.code == .tooLarge)
    }
}

/// A layer of which there is only a descriptor.
func giantLayer(byteCount: Int64, seed: UInt64 = 1) throws -> TestBlob {
    let digest = try Digest.of("giant \(seed)".utf8)
    let type = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar")
    let descriptor = Descriptor(mediaType: type, digest: digest, size: byteCount)
    return TestBlob(descriptor: descriptor, content: .elsewhere, diffID: digest)
}
