import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// What only our own registry takes, from a registry into a file and into another registry.
@Suite struct EmbeddedRoundTripTests {
    private let workshop: Workshop
    private let (source, target): (EmbeddedRegistry, EmbeddedRegistry)

    init() async throws {
        workshop = try Workshop()
        (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
    }

    /// Carries what the source has, and expects the target to have the same after it, byte for byte and nothing else.
    private func carry(_ names: [String], _ location: SourceLocation = #_sourceLocation) async throws {
        #expect(try await workshop.bundle(names).failures.map(\.message) == [], sourceLocation: location)
        #expect(try await workshop.verify().failures.map(\.message) == [], sourceLocation: location)
        let report = try await workshop.push(to: target.address)
        #expect(report.failures.map(\.message) == [], sourceLocation: location)
        #expect(Set(report.images.map(\.status)) == [.pushed], sourceLocation: location)
        let blobs = try source.storage.blobs()
        #expect(try target.storage.blobs() == blobs, sourceLocation: location)
        for digest in blobs {
            #expect(try target.storage.bytes(digest) == source.storage.bytes(digest), sourceLocation: location)
        }
        let repositories = Set(try names.map { try Reference(parsing: $0).repository.path })
        #expect(target.storage.repositories() == repositories.sorted(), sourceLocation: location)
        let messages = try await workshop.verify(at: target.address).failures.map(\.message)
        #expect(messages == [], sourceLocation: location)
    }

    /// distribution 2.8 has no manifests with a sha512 digest, and by default refuses manifests with URLs in them.
    @Test func `sha512 and foreign layers arrive as they were`() async throws {
        var strong = ImageBuilder(seed: 33, algorithm: .sha512)
        let strongImage = try strong.multiPlatform()
        try source.storage.add(strongImage, repository: "strong")
        var names = ["\(source.address)/strong@\(strongImage.digest)"]
        var images: [(String, TestImage)] = []
        for family in ImageBuilder.Family.allCases {
            var builder = ImageBuilder(seed: 34, family: family)
            let image = try builder.image(layers: [builder.foreignLayer(), builder.layer()])
            images.append(("windows/\(family)", image))
            names.append(try source.add(image, "windows/\(family)"))
        }
        try await carry(names)
        for (repository, image) in images { try expect(target.storage, has: image, repository, tag: "1") }
        try expect(target.storage, has: strongImage, "strong")
    }

    /// The tag is of a manifest under sha256, as registries make it of what is put under a tag.
    @Test func `what is under sha512 beneath a tag arrives as it was`() async throws {
        var builder = ImageBuilder(seed: 36, algorithm: .sha512)
        let (child, other) = (try builder.multiPlatform(), try builder.image())
        let layers = [try builder.layer(), try builder.layer()]
        builder.algorithm = .sha256
        let images = [
            ("layers", try builder.image(layers: layers + [builder.layer()])),
            ("index", try builder.index(of: [other, builder.image()])),
            ("nested", try builder.index(of: [child, builder.index(of: [child, other])])),
        ]
        try await carry(try images.map { try source.add($1, $0) })
        for (repository, image) in images { try expect(target.storage, has: image, repository, tag: "1") }
    }

    @Test func `artifacts, with a subject or without, arrive as they were`() async throws {
        var builder = ImageBuilder(seed: 37)
        let (image, absent) = (try builder.multiPlatform(), try builder.image())
        let signature = try builder.artifact(payload: Array("signed".utf8), type: "a/signature", subject: image)
        let bare = try builder.bareArtifact(subject: image)
        let images = [
            ("app", image, "1"), ("app", signature, "signature"), ("app", bare, "bare"),
            // What they refer to is somewhere else, or nowhere.
            ("elsewhere", try builder.artifact(subject: image), "1"),
            ("nowhere", try builder.artifact(subject: absent), "1"),
            ("alone", try builder.bareArtifact(), "1"),
            ("index", try builder.index(of: [bare, signature, builder.index(of: [])]), "1"),
            ("empty", try builder.index(of: []), "1"),
        ]
        try await carry(try images.map { try source.add($1, $0, tag: $2) })
        for (repository, image, tag) in images { try expect(target.storage, has: image, repository, tag: tag) }
        // They are found by what they refer to.
        for registry in [source, target] {
            let answer = try await HTTPConnection(to: registry.address)
                .ask(HTTPRequest("GET", "/v2/app/referrers/\(image.digest)"))
            #expect(answer.status == 200)
            for referrer in [signature, bare] { #expect(answer.text.contains("\(referrer.digest)")) }
        }
    }

    @Test func `indexes as deep as they may be arrive as they were`() async throws {
        var builder = ImageBuilder(seed: 38)
        let deep = try builder.nestedIndex(levels: 8)
        let wide = try builder.index(of: [builder.image(), builder.nestedIndex(levels: 3), builder.multiPlatform()])
        let names = [try source.add(deep, "deep"), try source.add(wide, "wide")]
        try await carry(names)
        try expect(target.storage, has: deep, "deep", tag: "1")
        try expect(target.storage, has: wide, "wide", tag: "1")
    }
}
