import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// No request that is not needed.
@Suite struct BundleRequestTests {
    @Test(arguments: [false, true])
    func `each manifest and each blob is fetched once, and nothing else is asked`(referrers: Bool) async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 50)
        let shared = try builder.layer(byteCount: 20_000)
        var images: [TestImage] = []
        for number in 1...10 {
            let image = try builder.image(layers: [shared, builder.layer(), builder.layer()])
            try source.add(image, "app-\(number)")
            images.append(image)
        }
        let names = (1...10).map { "\(source.address)/app-\($0):1" }
        let report = try await workshop.bundle(names, referrers: referrers)
        // A manifest each; a config and two layers each, and the one that all share. Where it is looked for signatures,
        // what refers to each, and the tags of each repository.
        let count = 10 + 10 * 3 + 1 + (referrers ? 2 * 10 : 0)
        #expect(report.totals?.requestCount == count)
        let requests = try await source.finish()
        #expect(requests.count == count)
        #expect(Set(requests.map(\.method)) == ["GET"])
        #expect(Set(requests.map(\.status)) == [200])
        let fetched = requests.compactMap { $0.path.firstMatch(of: /\/blobs\/(.+)/).map { String($0.1) } }
        #expect(fetched.sorted() == Set(images.flatMap(\.blobs).map(\.digest.description)).sorted())
    }

    @Test func `a manifest that several images of several repositories share is fetched once`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 51)
        let child = try builder.image()
        let indexes = try (1...3).map { try builder.index(of: [child, builder.image()], annotations: ["n": "\($0)"]) }
        let names = try indexes.enumerated().map { try source.add($1, "app-\($0)") }
        let report = try await workshop.bundle(names)
        let requests = try await source.finish()
        #expect(requests.count("GET", containing: "/manifests/\(child.digest)") == 1)
        #expect(requests.count("GET", containing: "/manifests/") == 3 + 4)
        #expect(report.totals?.requestCount == requests.count)
        #expect(Set(requests.map(\.line)).count == requests.count)
    }

    @Test func `images of several registries are one bundle, and what they share is fetched once`() async throws {
        let (one, other, workshop) = (try await EmbeddedRegistry(), try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 55)
        let shared = try builder.layer()
        let names = [
            try one.add(builder.image(layers: [shared]), "app"),
            try other.add(builder.image(layers: [shared], command: ["x"]), "app"),
        ]
        let report = try await workshop.bundle(names)
        #expect(report.images.map(\.reference) == names.sorted())
        let requests = try await one.finish() + other.finish()
        #expect(requests.count("GET", containing: "\(shared.digest)") == 1)
        // What refers to them is asked as well, and which tags there are.
        #expect(requests.count == 9)
        #expect(report.totals?.requestCount == 9)
        #expect(try await workshop.verify().failures.isEmpty)
    }

    @Test func `a plan fetches manifests only and writes nothing`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 52)
        let name = try source.add(builder.multiPlatform(), "app")
        let report = try await Synchronizer(connections: workshop.connections).plan([Reference(parsing: name)])
        #expect(report.images.map(\.status) == [.planned])
        #expect(report.outcome == .done)
        #expect(report.totals?.blobCount == 4)
        // The manifests, what refers to each, and the tags.
        #expect(report.totals?.requestCount == 7)
        #expect(try workshop.scratch.names() == [])
        let bundled = try await workshop.bundle([name])
        #expect(bundled.bundleByteCount == report.bundleByteCount)
        #expect(try Int64(workshop.scratch.read("bundle.tar").count) == report.bundleByteCount)
        // The blobs were fetched by the bundle alone.
        let requests = try await source.finish()
        #expect(requests.count("GET", containing: "/manifests/") == 3 + 3)
        #expect(requests.count("GET", containing: "/blobs/") == 4)
        #expect(requests.count == 18)
    }

    @Test func `no more requests are in flight than were asked for`() async throws {
        let source = try Source()
        var workshop = try Workshop()
        workshop.connections.parallelism = 3
        var builder = ImageBuilder(seed: 53)
        let names = try (1...12).map { try source.add(builder.image(), "app-\($0)") }
        #expect(try await workshop.bundle(names).outcome == .done)
        #expect(source.registry.peakConcurrency <= 3)
    }

    @Test func `a blob that one repository does not give is fetched from another that should have it`() async throws {
        var builder = ImageBuilder(seed: 54)
        let shared = try builder.layer()
        let source = try Source { request in
            request.path == "/v2/a/blobs/\(shared.digest)" ? .error(404, "BLOB_UNKNOWN") : nil
        }
        let workshop = try Workshop()
        let names = try ["a", "b"].map { try source.add(builder.image(layers: [shared, builder.layer()]), $0) }
        #expect(try await workshop.bundle(names).failures.map(\.message) == [])
        #expect(source.registry.count("GET", containing: "\(shared.digest)") == 2)
        #expect(try await workshop.verify().failures.isEmpty)
    }
}
