import Drayage
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// Layers that their makers ask not to distribute.
@Suite struct ForeignLayerTests {
    private var workshop: Workshop
    private let source: Source
    private let maker: EmbeddedRegistry

    init() async throws {
        (workshop, source) = (try Workshop(), try Source())
        maker = try await EmbeddedRegistry(options: .init(usesTLS: true))
        workshop.connections.caFile = maker.certificateAuthorityPath
        workshop.includesReferrers = false
    }

    /// An image with a foreign layer, which its maker has; and that layer as one that can be distributed.
    private func image(
        seed: UInt64,
        _ family: ImageBuilder.Family = .oci,
        urls: ((Digest) -> [String])? = nil
    ) throws -> (image: TestImage, layer: TestBlob) {
        var builder = ImageBuilder(seed: seed, family: family)
        // The same seed gives the same bytes.
        let layer = try builder.opaqueLayer(byteCount: 5000)
        var again = ImageBuilder(seed: seed, family: family)
        let foreign = try again.foreignLayer(byteCount: 5000) { digest in
            urls?(digest) ?? ["https://\(maker.address)/v2/base/blobs/\(digest)"]
        }
        try maker.storage.add(layer, repository: "base")
        return (try again.image(layers: [foreign, again.layer()]), layer)
    }

    private func path(of layer: TestBlob) -> String { "/v2/base/blobs/\(layer.digest)" }

    @Test(arguments: ImageBuilder.Family.allCases)
    func `it is fetched from its maker, carried and put into the target`(family: ImageBuilder.Family) async throws {
        let (image, layer) = try image(seed: 970, family)
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(report.failures.map(\.message) == [])
        #expect(report.notes == [])
        let blob = try #require(report.blobs?.first { $0.digest == layer.digest })
        #expect(blob.source == "https://\(maker.address)\(path(of: layer))")
        #expect(blob.status == .fetched)
        let reader = try LayoutReader(path: workshop.path())
        #expect(try reader.bytes(of: layer.digest, limit: 5000) == layer.bytes)
        #expect(try await workshop.verify().totals?.blobCount == 3)
        #expect(try await workshop.verify().failures.map(\.message) == [])
        // Docker finds all layers now.
        let bytes = try workshop.scratch.read("bundle.tar")
        #expect(String(decoding: bytes, as: UTF8.self).contains(#""Layers":["blobs/sha256/\#(layer.digest.hex)""#))
        let target = try Source()
        #expect(try await workshop.push(to: target.address).failures.map(\.message) == [])
        try expect(target.content, has: image, "app", tag: "1")
        #expect(target.content.blob(layer.digest, repository: "app") == (try layer.bytes))
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
    }

    @Test func `a registry that has it is asked first`() async throws {
        let (image, layer) = try image(seed: 971)
        let name = try source.add(image, "app")
        try source.content.add(layer, repository: "app")
        let report = try await workshop.bundle([name], foreign: .include)
        #expect(report.blobs?.first { $0.digest == layer.digest }?.source == "\(source.address)/app")
        #expect(try await maker.finish().map(\.path) == [])
    }

    @Test func `it stays where it is unless it is asked for, and that is told`() async throws {
        let (image, layer) = try image(seed: 972)
        let name = try source.add(image, "app")
        let report = try await workshop.bundle([name])
        #expect(report.notes == ["\(name): 1 layer is left where the maker has it; --foreign include takes it along"])
        #expect(try LayoutReader(path: workshop.path()).range(of: layer.digest) == nil)
        #expect(try await workshop.verify().outcome == .done)
        #expect(try await maker.finish().map(\.path) == [])
    }

    @Test func `the next URL is asked where one fails`() async throws {
        let (address, gone) = (maker.address, "https://\(maker.address)/v2/base/blobs/nowhere")
        let (image, layer) = try image(seed: 973) { [gone, "https://\(address)/v2/base/blobs/\($0)"] }
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(report.failures.map(\.message) == [])
        #expect(report.blobs?.first { $0.digest == layer.digest }?.source?.hasSuffix(path(of: layer)) == true)
    }

    @Test(arguments: ["http://127.0.0.1:1/layer", "ftp://layers.example.com/x", "file:///etc/passwd", "nonsense"])
    func `what is no https URL is not asked`(url: String) async throws {
        let (image, _) = try image(seed: 974) { _ in [url] }
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(report.outcome == .failed)
        let message = try #require(report.failures.first?.message)
        #expect(message.contains("its manifest names \(url), which is no https URL"), "\(message)")
    }

    @Test func `what is not what the manifest says is refused`() async throws {
        let (image, layer) = try image(seed: 975)
        var wrong = try layer.bytes
        wrong[100] ^= 1
        try maker.storage.corrupt(layer.digest, with: wrong)
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(report.exitStatus == .unverified)
        #expect(try workshop.scratch.names().contains("bundle.tar") == false)
    }

    @Test func `its maker is told nothing of us`() async throws {
        let user = TestSecrets.user("me")
        let closed = try await EmbeddedRegistry(options: .init(user: user, usesTLS: true))
        let (image, layer) = try image(seed: 976) { ["https://\(closed.address)/v2/base/blobs/\($0)"] }
        try closed.storage.add(layer, repository: "base")
        var workshop = workshop
        workshop.connections.caFile = closed.certificateAuthorityPath
        workshop.connections.setCredentials(username: user.name, password: user.password, for: closed.address)
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .unauthorized)
        #expect(Set(try await closed.finish().map(\.status)) == [401])
    }

    @Test func `an interrupted bundle goes on with it`() async throws {
        let breaks = Flag()
        let (image, layer) = try image(seed: 977)
        let other = try #require(image.layers.last)
        let site = try Source { request in
            breaks.isSet && request.path.hasSuffix("/blobs/\(other.digest)") ? Answer(500) : nil
        }
        let name = try site.add(image, "app")
        breaks.set(true)
        #expect(try await workshop.bundle([name], foreign: .include).outcome == .failed)
        breaks.set(false)
        #expect(try await workshop.bundle([name], foreign: .include).outcome == .done)
        _ = try await workshop.bundle([name], to: "fresh.tar", foreign: .include)
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("fresh.tar"))
        #expect(try LayoutReader(path: workshop.path()).range(of: layer.digest) != nil)
    }

    @Test func `what a URL says of a user is told nobody`() async throws {
        let secret = TestSecrets.make("in-url")
        let address = maker.address
        let (image, layer) = try image(seed: 978) {
            ["https://me:\(secret)@\(address)/v2/base/blobs/\($0)?sig=\(secret)"]
        }
        let report = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        let blob = try #require(report.blobs?.first { $0.digest == layer.digest })
        #expect(blob.source == "https://\(address)\(path(of: layer))")
    }

    @Test func `one that is damaged is had from its maker again`() async throws {
        let (image, layer) = try image(seed: 979)
        _ = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        let range = try #require(try LayoutReader(path: workshop.path()).range(of: layer.digest))
        var bytes = try workshop.scratch.read("bundle.tar")
        bytes[Int(range.lowerBound) + 5] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        let repaired = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path())
        #expect(repaired.failures.map(\.message) == [])
        #expect(repaired.blobs?.map(\.source) == ["https://\(maker.address)\(path(of: layer))"])
        #expect(try await workshop.verify().outcome == .done)
    }

    /// By default docker-distribution does.
    @Test(arguments: ForeignLayerPolicy.allCases, ImageBuilder.Family.allCases)
    func `a registry that refuses such manifests is told of with what allows them`(
        policy: ForeignLayerPolicy,
        family: ImageBuilder.Family
    ) async throws {
        let target = try await RegistryKind.docker.start()
        let (image, _) = try image(seed: 938, family)
        _ = try await workshop.bundle([try source.add(image, "app")], foreign: policy)
        let report = try await workshop.push(to: target.address)
        let message = try #require(report.failures.first?.message)
        #expect(message.contains("takes only where validation.manifests.urls.allow does"), "\(message)")
    }

    @Test func `our own registry takes it, and serves the bundle with it`() async throws {
        let target = try await EmbeddedRegistry()
        let (image, layer) = try image(seed: 937)
        _ = try await workshop.bundle([try source.add(image, "app")], foreign: .include)
        #expect(try await workshop.push(to: target.address).failures.map(\.message) == [])
        try expect(target.storage, has: image, "app", tag: "1")
        #expect(target.storage.hasBlob(layer.digest, repository: "app"))
    }
}
