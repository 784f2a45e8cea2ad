import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Drayage

/// Plans that are carried out over the API, on registries that delete.
@Suite struct RegistryRemovalTests {
    private let builder: ImageBuilder
    private let (index, image, other): (TestImage, TestImage, TestImage)

    init() throws {
        var builder = ImageBuilder(seed: 440)
        (index, image, other) = (try builder.multiPlatform(), try builder.image(), try builder.image())
        self.builder = builder
    }

    /// Removes tags and manifests of `app`, and gives what came of it with the requests that changed something.
    private func remove(
        _ tags: [String],
        _ manifests: [Digest],
        from registry: any LocalRegistry
    ) async throws -> PruneOutcome {
        let subject = RegistrySubject(registry.address)
        let plan = try PrunePlan(try await subject.contents(), removing: ["app": (tags, manifests)])
        let removedCount = Mutex(0)
        let outcome = try await subject.remove(plan) { event in
            if case .removed = event { removedCount.withLock { $0 += 1 } }
        }
        #expect(outcome.failures.map(\.message) == [])
        #expect(outcome.blobCount == 0 && outcome.freedByteCount == 0)
        #expect(removedCount.withLock { $0 } == plan.removalCount)
        return outcome
    }

    /// Ends a registry, and expects that none of these digests was ever to be deleted.
    private func expectNoDelete(
        of images: [TestImage],
        from registry: any LocalRegistry,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let requests = try await registry.finish()
        #expect(requests.count("DELETE") > 1, sourceLocation: location)
        for document in images.flatMap(\.documents) {
            let count = requests.count("DELETE", containing: "\(document.digest)")
            #expect(count == 0, sourceLocation: location)
        }
    }

    @Test(arguments: RegistryKind.allCases)
    func `of two tags of one image one goes, and the other pulls whole`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        for tag in ["1", "2"] { try registry.add(index, "app", tag: tag) }
        let outcome = try await remove(["1"], [], from: registry)
        #expect(outcome.tagCount == 1 && outcome.manifestCount == 0 && outcome.repositoryCount == 0)
        let subject = RegistrySubject(registry.address)
        #expect(try await subject.digest(of: "1", "app") == nil)
        try await subject.expectPulls(index, "app", tag: "2")
        let after = try await subject.contents().repository("app")
        #expect(after.tags.keys.map(\.description) == ["2"])
        #expect(after.manifests.count == 3 && after.damage.isEmpty)
        try await expectNoDelete(of: [index], from: registry)
    }

    @Test(arguments: RegistryKind.allCases)
    func `a tag on a child of an index that stays, and on a referrer that stays`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let signature = try builder.artifact(subject: index)
        try registry.add(index, "app", tag: "index")
        try registry.add(index.children[0], "app", tag: "child")
        try registry.add(signature, "app", tag: "signature")
        let outcome = try await remove(["child", "signature"], [], from: registry)
        #expect(outcome.tagCount == 2 && outcome.manifestCount == 0)
        let subject = RegistrySubject(registry.address)
        for tag in ["child", "signature"] { #expect(try await subject.digest(of: tag, "app") == nil) }
        try await subject.expectPulls(index, "app", tag: "index")
        try await subject.expectPulls(signature, "app")
        #expect(registry.storage.tags(repository: "app") == ["index"])
        try await expectNoDelete(of: [index, signature], from: registry)
    }

    @Test(arguments: RegistryKind.allCases)
    func `an index goes with its children and its referrers, and the rest pulls whole`(kind: RegistryKind) async throws
    {
        let registry = try await kind.start()
        let signature = try builder.artifact(subject: index)
        try registry.add(signature, "app", tag: "signature")
        for tag in ["1", "2"] { try registry.add(index, "app", tag: tag) }
        for (image, tag) in [(other, "other"), (index.children[1], "child")] {
            try registry.add(image, "app", tag: tag)
        }
        try registry.add(index, "kept")
        let going = [signature.digest, index.digest] + index.children.map(\.digest)
        let outcome = try await remove(["1", "2", "child", "signature"], going, from: registry)
        #expect(outcome.tagCount == 4 && outcome.manifestCount == 4 && outcome.repositoryCount == 0)
        let subject = RegistrySubject(registry.address)
        for digest in going { #expect(try await !subject.has(digest, "app")) }
        let after = try await subject.contents().repository("app")
        #expect(after.tags.keys.map(\.description) == ["other"])
        try await subject.expectPulls(other, "app", tag: "other")
        try await subject.expectPulls(index, "kept", tag: "1")
        // Each at its place: what refers or needs first.
        let requests = try await registry.finish()
        let order = requests.filter { $0.method == "DELETE" && $0.status == 202 && $0.path.contains("sha256:") }
        #expect(order.map(\.path) == going.map { "/v2/app/manifests/\($0)" })
        #expect(requests.count("PUT") == 0)
        #expect(requests.count("DELETE", containing: "/v2/kept/") == 0)
    }

    @Test(arguments: RegistryKind.allCases)
    func `a repository that loses all counts, and one after the other they all go`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let subject = RegistrySubject(registry.address)
        var removing: [String: (tags: [String], manifests: [Digest])] = [:]
        for number in 0..<12 {
            try registry.add(image, "app\(number)", tag: "1")
            try registry.add(other, "app\(number)", tag: "2")
            removing["app\(number)"] =
                number == 0 ? (["1"], [image.digest]) : (["1", "2"], [image.digest, other.digest])
        }
        let outcome = try await subject.remove(try PrunePlan(try await subject.contents(), removing: removing))
        #expect(outcome.failures.isEmpty)
        #expect(outcome.repositoryCount == 11 && outcome.tagCount == 23 && outcome.manifestCount == 23)
        try await subject.expectPulls(other, "app0", tag: "2")
        let after = try await subject.contents()
        #expect(after.repositories.filter { !$0.tags.isEmpty }.map(\.path.description) == ["app0"])
        if kind == .docker {
            // It cannot delete tags, and is not asked to for each: those who ask at once cannot know yet.
            let asked = try await registry.finish().filter { $0.method == "DELETE" && $0.status == 400 }
            #expect((1...4).contains(asked.count))
        }
    }

    /// A tag and a manifest that somebody else removed since the plan was made.
    @Test(arguments: RegistryKind.allCases)
    func `what is gone already is no failure`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        for (image, tag) in [(index, "1"), (image, "2"), (image, "3"), (other, "4")] {
            try registry.add(image, "app", tag: tag)
        }
        let subject = RegistrySubject(registry.address)
        let going = [index.digest] + index.children.map(\.digest)
        let plan = try PrunePlan(try await subject.contents(), removing: ["app": (["1", "2", "4"], going)])
        let early = try PrunePlan(try await subject.contents(), removing: ["app": (["2", "1"], [index.digest])])
        #expect(try await subject.remove(early).failures.isEmpty)
        let outcome = try await subject.remove(plan)
        #expect(outcome.failures.map(\.message) == [])
        #expect(outcome.tagCount == 1 && outcome.manifestCount == 2)
        try await subject.expectPulls(image, "app", tag: "3")
        try await subject.expectPulls(other, "app")
    }

    /// Its digest was not to be read, so nothing is known of what it points at.
    @Test(arguments: RegistryKind.allCases)
    func `a tag of which nothing is known goes alone`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        for tag in ["1", "2"] { try registry.add(image, "app", tag: tag) }
        let subject = RegistrySubject(registry.address)
        let tag = PrunePlan.TagEntry(tag: try Tag(parsing: "1"), digest: nil, action: .remove, reason: "")
        let plan = PrunePlan(app: [tag])
        let outcome = try await subject.remove(plan)
        #expect(outcome.failures.map(\.message) == [] && outcome.tagCount == 1)
        try await subject.expectPulls(image, "app", tag: "2")
        #expect(registry.storage.tags(repository: "app") == ["2"])
        try await expectNoDelete(of: [image], from: registry)
    }

    @Test func `a plan without anything to remove sends nothing`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.add(image, "app", tag: "1")
        let subject = RegistrySubject(registry.address)
        let plan = try PrunePlan(try await subject.contents(), removing: [:])
        let before = try await subject.withClient { client async throws in
            let removal = RegistryRemoval(client: client, registry: registry.address, parallelism: 4) { _ in }
            _ = try await removal.run(plan)
            return client.requestCount
        }
        #expect(before == 0)
    }
}

extension PrunePlan {
    /// A plan for some tags of `app`.
    init(app tags: [TagEntry], manifests: [ManifestEntry] = []) {
        let path = try? RepositoryPath(parsing: "app")
        self.init(
            target: "",
            repositories: [path].compactMap(\.self).map {
                Repository(repository: $0, isRemoved: false, tags: tags, manifests: manifests, layers: [])
            },
            blobs: [],
            freedByteCount: 0,
            missing: [],
            problems: []
        )
    }
}
