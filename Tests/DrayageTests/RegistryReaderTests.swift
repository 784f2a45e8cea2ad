import FoundationEssentials
import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Drayage

/// What a registry holds, read over its API, from registries that answer as they should.
@Suite struct RegistryReaderTests {
    @Test(arguments: RegistryKind.allCases)
    func `tags, all that is beneath them, and nothing that no tag leads to`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        var builder = ImageBuilder(seed: 420)
        let (index, single, loose) = (try builder.multiPlatform(), try builder.image(), try builder.image())
        let nested = try builder.index(of: [index, single])
        for (image, tag) in [(index, "index"), (single, "single"), (single, "same"), (nested, "nested")] {
            try registry.add(image, "a/app", tag: tag)
        }
        try registry.storage.add(loose, repository: "a/app")
        try registry.add(loose, "b", tag: "1")
        let contents = try await RegistrySubject(registry.address).contents()
        #expect(contents.repositories.map(\.path.description) == ["a/app", "b"])
        #expect(contents.problems.isEmpty && !contents.isStorage)
        let app = try contents.repository("a/app")
        let tags = ["index": index, "single": single, "same": single, "nested": nested]
        let expected = try tags.map { (try Tag(parsing: $0), $1.digest) }
        #expect(app.tags == Dictionary(uniqueKeysWithValues: expected))
        #expect(Set(app.manifests.keys) == Set(nested.documents.map(\.digest)))
        for document in nested.documents {
            #expect(app.manifests[document.digest] == (try ManifestFacts(parsing: document.bytes)))
        }
        #expect(app.damage.isEmpty && app.damagedTags.isEmpty && app.damagedManifests.isEmpty)
        #expect(app.layers.isEmpty && app.isLeftAlone == nil)
        #expect(try contents.repository("b").manifests.count == 1)
        // Everything was read, and nothing was changed.
        let requests = try await registry.finish()
        #expect(Set(requests.map(\.method)).isSubset(of: ["GET", "HEAD"]))
        for document in nested.documents {
            #expect(requests.count("GET", containing: "a/app/manifests/\(document.digest)") == 1)
        }
        #expect(requests.count("GET", containing: "/blobs/") == 0)
    }

    @Test func `what refers to a manifest, and what is beneath and refers to that`() async throws {
        let registry = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 421)
        let image = try builder.multiPlatform()
        let sbom = try builder.artifact(type: "a/sbom", subject: image.children[0])
        let signature = try builder.artifact(type: "a/signature", subject: sbom)
        try registry.add(image, "app", tag: "1")
        for referrer in [sbom, signature] { try registry.storage.add(referrer, repository: "app") }
        let app = try await RegistrySubject(registry.address).contents().repository("app")
        let documents = (image.documents + sbom.documents + signature.documents).map(\.digest)
        #expect(Set(app.manifests.keys) == Set(documents))
        #expect(app.manifests[sbom.digest]?.subject == image.children[0].digest)
        #expect(app.manifests[signature.digest]?.subject == sbom.digest)
        #expect(app.damage.isEmpty)
    }

    /// Docker's registry has no list of referrers; it is asked for it a few times at most, however many manifests it has.
    @Test func `a registry that has no referrers is not asked for all of them`() async throws {
        let registry = try await RegistryKind.docker.start()
        var builder = ImageBuilder(seed: 422)
        for number in 0..<40 { try registry.add(builder.image(), "app\(number / 10)", tag: "\(number)") }
        let contents = try await RegistrySubject(registry.address).contents()
        #expect(contents.repositories.map(\.manifests.count) == [10, 10, 10, 10])
        #expect(try await registry.finish().count("GET", containing: "/referrers/") <= 16)
    }

    /// A digest that is required without a tag: it is there with all that is beneath, or it is not there at all.
    @Test(arguments: RegistryKind.allCases)
    func `a digest without a tag is read where it is asked for`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        var builder = ImageBuilder(seed: 423)
        let (image, other, absent) = (try builder.multiPlatform(), try builder.image(), try builder.image())
        try registry.add(other, "app", tag: "1")
        try registry.storage.add(image, repository: "app")
        try registry.storage.add(image, repository: "bare")
        var selection = RegistryReader.Selection()
        let (app, bare) = (try RepositoryPath(parsing: "app"), try RepositoryPath(parsing: "bare"))
        selection.digests = [app: [image.digest, absent.digest], bare: [image.digest]]
        let contents = try await RegistrySubject(registry.address).contents(selection)
        let all = Set((image.documents + other.documents).map(\.digest))
        #expect(Set(try contents.repository("app").manifests.keys) == all)
        #expect(Set(try contents.repository("bare").manifests.keys) == Set(image.documents.map(\.digest)))
        #expect(contents.repositories.allSatisfy { $0.damage.isEmpty })
    }

    /// A prefix, with the repositories that it selects.
    @Test(arguments: [("", ["team", "team/a", "team/b/c", "teams"]), ("/team", ["team", "team/a", "team/b/c"])])
    func `a prefix and a filter limit what is read`(prefix: String, selected: [String]) async throws {
        let registry = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 426)
        let image = try builder.image()
        for path in ["team", "team/a", "team/b/c", "teams"] { try registry.add(image, path) }
        let subject = RegistrySubject(registry.address)
        let all = try await subject.contents(prefix: prefix)
        #expect(all.repositories.map(\.path.description) == selected)
        var selection = RegistryReader.Selection()
        selection.includes = { !$0.description.hasSuffix("a") }
        let some = try await subject.contents(prefix: prefix, selection)
        #expect(some.repositories.map(\.path.description) == selected.filter { $0 != "team/a" })
        selection.repositories = try ["teams", "team/a", "team", "team"].map { try RepositoryPath(parsing: $0) }
        let named = try await subject.contents(prefix: prefix, selection)
        #expect(named.repositories.map(\.path.description) == selected.filter { ["team", "teams"].contains($0) })
        #expect(try await registry.finish().count("GET", containing: "_catalog") == 2)
    }

    @Test(arguments: RegistryKind.allCases)
    func `the second reading asks for the tags alone`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        var builder = ImageBuilder(seed: 424)
        let (image, late) = (try builder.multiPlatform(), try builder.image())
        try registry.add(image, "app", tag: "1")
        try registry.add(image, "app", tag: "2")
        let subject = RegistrySubject(registry.address)
        let events = Mutex<[String]>([])
        try await subject.withClient { client async throws in
            let reader = try subject.reader(client) { event in events.withLock { $0.append("\(event)") } }
            let first = try await reader.read().repository("app")
            let path = first.path
            let before = client.requestCount
            let second = try await reader.read([path]).repository("app")
            // The list, and a question for each tag.
            #expect(client.requestCount == before + 3)
            #expect(second.tags == first.tags && second.manifests == first.manifests)
            // What was changed meanwhile is seen.
            try registry.add(late, "app", tag: "2")
            let third = try await reader.read([path]).repository("app")
            #expect(third.tags.values.sorted() == [image.digest, late.digest].sorted())
            #expect(third.manifests.count == first.manifests.count + 1)
        }
        #expect(events.withLock { $0 } == ["resolving(count: 1)", #"resolved(name: "app")"#])
    }

    @Test(arguments: RegistryKind.allCases)
    func `an image is as old as its manifest says, or its config, or the newest beneath it`(kind: RegistryKind)
        async throws
    {
        let registry = try await kind.start()
        var builder = ImageBuilder(seed: 425)
        let noted = ["org.opencontainers.image.created": "2024-05-01T12:00:00Z"]
        // The builder's configs are of the beginning of 1970.
        let (old, new) = (try builder.image(), try builder.image(annotations: noted))
        let (both, artifact) = (try builder.index(of: [builder.index(of: [old]), new]), try builder.artifact())
        let images = ["old": old, "new": new, "both": both, "artifact": artifact, "none": try builder.index(of: [])]
        for (tag, image) in images { try registry.add(image, "app", tag: tag) }
        let subject = RegistrySubject(registry.address)
        var selection = RegistryReader.Selection()
        let plain = try await subject.contents(selection).repository("app").manifests
        #expect(plain.compactMap(\.value.created) == [Date(timeIntervalSince1970: 1_714_564_800)])
        selection.readsAges = true
        let aged = try await subject.contents(selection).repository("app")
        let seconds = images.mapValues { aged.manifests[$0.digest]?.created?.timeIntervalSince1970 }
        #expect(seconds == ["old": 0, "new": 1_714_564_800, "both": 1_714_564_800, "artifact": nil, "none": nil])
        #expect(aged.damage.isEmpty)
        #expect(try await registry.finish().count("GET", containing: "/blobs/") == 1)
    }
}
