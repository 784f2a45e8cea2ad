import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

/// Manifests that are at hand, and references whose digests are decided, cost no request for a manifest.
@Suite struct KnownManifestTests {
    private let index: TestImage
    private let single: TestImage
    private let new: TestImage

    /// An image for two platforms, one for one, and a new version of the first that shares a child with it.
    init() throws {
        var builder = ImageBuilder(seed: 320)
        index = try builder.multiPlatform()
        single = try builder.image()
        new = try builder.index(of: [index.children[0], builder.image()])
    }

    private func resolve(
        _ names: [String],
        at address: String,
        known: [Digest: Document] = [:],
        pinned: [String: Digest] = [:]
    ) async throws -> Resolver.Resolution {
        let pins = try pinned.map { (try Reference(parsing: $0), $1) }
        return try await RegistrySubject(address).withClient { client in
            let resolver = Resolver(
                client: client,
                parallelism: 4,
                progress: { _ in },
                known: known,
                pinned: Dictionary(uniqueKeysWithValues: pins),
                routes: Routes([], rules: MirrorRules(named: [], rules: [])),
                health: MirrorHealth()
            )
            return try await resolver.resolve(try names.map { try Reference(parsing: $0) })
        }
    }

    private func documents(of images: TestImage...) throws -> [Digest: Document] {
        try images.flatMap(\.documents).reduce(into: [:]) { known, document in
            known[document.digest] = try Document(bytes: document.bytes, declaredType: document.mediaType)
        }
    }

    @Test(arguments: RegistryKind.allCases)
    func `tags whose manifests are at hand are looked up, and nothing is fetched`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let names = [try registry.add(index, "app"), try registry.add(single, "other", tag: "2")]
        let fetched = try await resolve(names, at: registry.address)
        let resolution = try await resolve(names, at: registry.address, known: documents(of: index, single, new))
        #expect(resolution.failures.map(\.message) == [])
        #expect(resolution.images.map(\.reference.description) == names)
        #expect(resolution.images.map(\.top) == [index.top, single.top])
        #expect(resolution.images.map(\.top) == fetched.images.map(\.top))
        // What is at hand and not needed is not taken.
        #expect(resolution.graph.documents.mapValues(\.bytes) == fetched.graph.documents.mapValues(\.bytes))
        let requests = try await registry.finish()
        // The first time all were fetched: an index with two children, and a manifest.
        #expect(requests.count("GET", containing: "/manifests/") == 4)
        #expect(requests.count("HEAD") == 2)
        #expect(Set(requests.map(\.line)).isSuperset(of: ["HEAD /v2/app/manifests/1", "HEAD /v2/other/manifests/2"]))
        #expect(requests.count == 4 + 2)
    }

    @Test(arguments: RegistryKind.allCases)
    func `of a tag that was moved only what is new is fetched`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let name = try registry.add(new, "app")
        let resolution = try await resolve([name], at: registry.address, known: documents(of: index))
        #expect(resolution.images.map(\.top) == [new.top])
        #expect(resolution.graph.documents.count == 3)
        let requests = try await registry.finish()
        let lines = ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]
        #expect(requests.map(\.line) == lines + ["GET /v2/app/manifests/\(new.children[1].digest)"])
    }

    @Test func `a digest whose manifest is at hand costs no request`() async throws {
        let registry = try await EmbeddedRegistry()
        let name = "\(registry.address)/app@\(index.digest)"
        let resolution = try await resolve([name], at: registry.address, known: documents(of: index))
        #expect(resolution.images.map(\.reference.description) == [name])
        #expect(resolution.images.map(\.top) == [index.top])
        #expect(try await registry.finish().isEmpty)
    }

    @Test func `a reference that is pinned stays at its digest, and keeps its name`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.add(index, "app")
        let name = try registry.add(new, "app")
        for known in [try documents(of: index), [:]] {
            let resolution = try await resolve(
                [name],
                at: registry.address,
                known: known,
                pinned: [name: index.digest]
            )
            #expect(resolution.failures.map(\.message) == [])
            #expect(resolution.images.map(\.reference.description) == [name])
            #expect(resolution.images.map(\.top) == [index.top])
            #expect(resolution.graph.documents.count == 3)
        }
        // With all at hand nothing was asked; with nothing at hand all was fetched by digest.
        let requests = try await registry.finish()
        let paths = Set(index.documents.map { "GET /v2/app/manifests/\($0.digest)" })
        #expect(requests.count == 3 && Set(requests.map(\.line)) == paths)
    }

    @Test func `a pin does not hold for another reference to the same repository`() async throws {
        let registry = try await EmbeddedRegistry()
        let names = [try registry.add(index, "app"), try registry.add(single, "app", tag: "2")]
        let resolution = try await resolve(names, at: registry.address, pinned: [names[0]: new.digest])
        #expect(resolution.images.map(\.top) == [single.top])
        #expect(resolution.failures.map(\.subject) == [names[0]])
        #expect(resolution.failures.first?.message.contains("\(new.digest)") == true)
    }

    /// How registries answer that do not say by `HEAD` what a tag means.
    @Test(arguments: [Answer(200), Answer(404), Answer(405), Answer(400), Answer(403), Answer(501)])
    func `where HEAD does not tell, GET decides`(head: Answer) async throws {
        let source = try Source { $0.method == "HEAD" ? head : nil }
        let name = try source.add(index, "app")
        let resolution = try await resolve([name], at: source.address, known: documents(of: index))
        #expect(resolution.images.map(\.top) == [index.top])
        // The children are known by their digests all the same.
        #expect(source.registry.lines == ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"])
    }

    @Test func `a tag that is not there is told as GET tells it`() async throws {
        let registry = try await EmbeddedRegistry()
        let name = "\(registry.address)/app:1"
        let failures = try await resolve([name], at: registry.address, known: documents(of: index)).failures
        #expect(failures.map(\.message) == (try await resolve([name], at: registry.address).failures.map(\.message)))
        #expect(failures.first?.message.contains("MANIFEST_UNKNOWN") == true)
    }

    @Test func `a registry that does not answer to HEAD is not asked again by GET`() async throws {
        let source = try Source { $0.method == "HEAD" ? .error(503, "UNAVAILABLE") : nil }
        let name = try source.add(index, "app")
        let resolution = try await resolve([name], at: source.address, known: documents(of: index))
        #expect(resolution.failures.map(\.subject) == [name])
        #expect(resolution.failures.first?.message.hasPrefix("looking up \(name): HEAD ") == true)
        #expect(source.registry.lines == ["HEAD /v2/app/manifests/1"])
    }

    /// Its parent is a liar, which is not hidden by what is at hand.
    @Test(arguments: ["size", "type"])
    func `a manifest that is not as its parent says is not taken from what is at hand`(lie: String) async throws {
        let (truth, claim) =
            lie == "size"
            ? ("\"size\":\(index.children[0].top.size)", "\"size\":\(index.children[0].top.size + 1)")
            : ("\(index.children[0].top.mediaType)", "application/vnd.docker.distribution.manifest.v2+json")
        let text = String(decoding: index.document.bytes, as: UTF8.self).replacing(
            truth,
            with: claim,
            maxReplacements: 1
        )
        #expect(Array(text.utf8) != index.document.bytes)
        let source = try Source { request in
            request.path == "/v2/app/manifests/liar" ? .text(text, type: "\(index.top.mediaType)") : nil
        }
        try source.add(index, "app")
        let name = "\(source.address)/app:liar"
        let failures = try await resolve([name], at: source.address, known: documents(of: index)).failures
        #expect(failures.map(\.subject) == [name])
        #expect(failures.map(\.message) == (try await resolve([name], at: source.address).failures.map(\.message)))
    }
}
