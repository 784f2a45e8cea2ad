import Drayage
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct DeterminismTests {
    @Test func `the same images give the same file, in whatever order and however parallel`() async throws {
        let source = try await EmbeddedRegistry()
        var workshop = try Workshop()
        var names: [String] = []
        for family in ImageBuilder.Family.allCases {
            var builder = ImageBuilder(seed: 40, family: family)
            let shared = try builder.layer(byteCount: 50_000)
            for number in 1...4 {
                names.append(try source.add(builder.image(layers: [shared, builder.layer()]), "\(family)/\(number)"))
            }
            names.append(try source.add(builder.multiPlatform(sharing: [shared]), "\(family)/index"))
        }
        _ = try await workshop.bundle(names, to: "first")
        let first = try workshop.scratch.read("first")
        #expect(first.count > 90_000)
        var random = SplitMix64(seed: 41)
        for parallelism in [1, 3, 32] {
            workshop.connections.parallelism = parallelism
            let shuffled = names.shuffled(using: &random)
            _ = try await workshop.bundle(shuffled + [names[0]], to: "\(parallelism)")
            #expect(try workshop.scratch.read("\(parallelism)") == first)
        }
        #expect(try workshop.scratch.names() == ["1", "3", "32", "first"])
    }

    @Test func `an image under two names is in the file once`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 42)
        let image = try builder.image(layers: [builder.layer(byteCount: 30_000)])
        let names = [try source.add(image, "a"), try source.add(image, "a", tag: "2"), try source.add(image, "b")]
        let report = try await workshop.bundle(names)
        #expect(report.images.map(\.reference) == names)
        #expect(report.totals?.blobCount == 2)
        #expect(try await source.finish().count("GET", containing: "/blobs/") == 2)
        #expect(try workshop.scratch.read("bundle.tar").count < 45_000)
    }
}
