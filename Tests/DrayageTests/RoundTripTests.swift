import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// From a registry into a file and into another registry: every digest and every byte is the same.
@Suite struct RoundTripTests {
    @Test(arguments: RegistryKind.allCases, RegistryKind.allCases)
    func `images of every form arrive in a real registry as they were`(from: RegistryKind, to: RegistryKind)
        async throws
    {
        let (source, target, workshop) = (try await from.start(), try await to.start(), try Workshop())
        var images: [(repository: String, image: TestImage)] = []
        for family in ImageBuilder.Family.allCases {
            var builder = ImageBuilder(seed: 30, family: family)
            let shared = try builder.layer(byteCount: 100_000)
            images += [
                ("single/\(family)", try builder.image(layers: [shared, builder.layer()])),
                ("again/\(family)", try builder.image(layers: [shared, shared])),
                ("many/\(family)", try builder.multiPlatform(sharing: [shared], attested: family == .oci)),
                ("bare/\(family)", try builder.image(layers: [])),
            ]
        }
        var builder = ImageBuilder(seed: 31)
        images += [
            ("nested/index", try builder.nestedIndex(levels: 3)),
            ("untyped/image", try builder.image(saysMediaType: false)),
            ("untyped/index", try builder.index(of: [builder.image()], saysMediaType: false)),
            ("chart", try builder.artifact()),
            ("inline", try builder.bareArtifact()), ("inline/index", try builder.index(of: [builder.bareArtifact()])),
            ("wasm", try builder.artifact(payload: [0, 97, 115, 109], type: "application/wasm")),
            ("policy", try builder.artifact(payload: Array("{}".utf8), type: "application/vnd.cncf.openpolicyagent")),
            ("deep/path/of/a/repository", try builder.image()),
        ]
        for (repository, image) in images { try source.storage.add(image, repository: repository, tag: "v1.0") }
        let report = try await workshop.bundle(images.map { "\(source.address)/\($0.repository):v1.0" })
        #expect(report.outcome == .done)
        #expect(report.images.map(\.reference) == images.map { "\(source.address)/\($0.repository):v1.0" }.sorted())
        #expect(try await workshop.verify().failures.isEmpty)

        let pushed = try await workshop.push(to: target.address)
        #expect(pushed.failures.map(\.message) == [])
        #expect(Set(pushed.images.map(\.status)) == [.pushed])
        for (repository, image) in images { try expect(target.storage, has: image, repository, tag: "v1.0") }
        #expect(target.storage.repositories() == images.map(\.repository).sorted())
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
    }

    @Test(arguments: RegistryKind.allCases, RegistryKind.allCases)
    func `a reference by digest is pushed by digest, one with both by its tag`(from: RegistryKind, to: RegistryKind)
        async throws
    {
        let (source, target, workshop) = (try await from.start(), try await to.start(), try Workshop())
        var builder = ImageBuilder(seed: 32)
        let (old, new, both) = (try builder.multiPlatform(), try builder.image(), try builder.image())
        // The tag has moved on; the digest says what is meant.
        for (image, tag) in [(old, "1"), (new, "1"), (both, "2"), (new, "2")] {
            try source.storage.add(image, repository: "app", tag: tag)
        }
        let name = "\(source.address)/app"
        let report = try await workshop.bundle(["\(name)@\(old.digest)", "\(name):2@\(both.digest)", "\(name):1"])
        #expect(report.images.map(\.reference) == ["\(name):1", "\(name):2", "\(name)@\(old.digest)"])
        #expect(report.images.map(\.digest) == [new.digest, both.digest, old.digest])
        #expect(try await workshop.push(to: target.address).outcome == .done)
        try expect(target.storage, has: new, "app", tag: "1")
        try expect(target.storage, has: both, "app", tag: "2")
        #expect(target.storage.tags(repository: "app") == ["1", "2"])
        #expect(try target.storage.revisions(repository: "app").isSuperset(of: old.documents.map(\.digest)))
        // What is asked for by digest only is found again, too.
        let again = try await workshop.push(to: target.address)
        #expect(again.images.map(\.status) == [.upToDate, .upToDate, .upToDate])
        #expect(again.totals?.requestCount == 3)
    }

    @Test(arguments: RegistryKind.allCases, RegistryKind.allCases)
    func `random images arrive as they were`(from: RegistryKind, to: RegistryKind) async throws {
        let (source, target, workshop) = (try await from.start(), try await to.start(), try Workshop())
        var random = SplitMix64(seed: 35)
        var pool: [ImageBuilder.Family: [TestBlob]] = [:]
        var images: [(repository: String, image: TestImage)] = []
        for number in 0..<24 {
            let family = ImageBuilder.Family.allCases.randomElement(using: &random) ?? .oci
            var builder = ImageBuilder(seed: random.next(), family: family)
            var layers: [TestBlob] = []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                if let known = pool[family]?.randomElement(using: &random), Bool.random(using: &random) {
                    layers.append(known)
                } else {
                    let layer = try builder.opaqueLayer(byteCount: Int.random(in: 1...70_000, using: &random))
                    pool[family, default: []].append(layer)
                    layers.append(layer)
                }
            }
            let image =
                Bool.random(using: &random)
                ? try builder.image(layers: layers) : try builder.multiPlatform(sharing: layers)
            images.append(("team-\(number % 5)/app-\(number % 12)", image))
        }
        for (number, (repository, image)) in images.enumerated() {
            try source.storage.add(image, repository: repository, tag: "t\(number)")
        }
        let names = images.enumerated().map { "\(source.address)/\($1.repository):t\($0)" }
        #expect(try await workshop.bundle(names).outcome == .done)
        #expect(try await workshop.push(to: target.address + "/mirror").failures.map(\.message) == [])
        for (number, (repository, image)) in images.enumerated() {
            try expect(target.storage, has: image, "mirror/" + repository, tag: "t\(number)")
        }
    }
}
