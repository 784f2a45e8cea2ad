import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct DeletionTests {
    private let image: TestImage
    private let other: TestImage
    private let tag = ManifestTarget.tag(.latest)

    init() throws {
        var builder = ImageBuilder(seed: 400)
        (image, other) = (try builder.image(), try builder.image())
    }

    @Test(arguments: RegistryKind.allCases)
    func `a manifest is deleted by its digest, once, with its tags`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        try registry.add(image, "app", tag: "latest")
        try registry.add(image, "app", tag: "2")
        try registry.add(other, "app", tag: "3")
        let repository = try registry.repository()
        let target = ManifestTarget.digest(image.digest)
        try await withClient { client async throws in
            #expect(try await client.deleteManifest(target, in: repository) == .deleted)
            #expect(try await client.deleteManifest(target, in: repository) == .absent)
            #expect(try await client.headManifest(tag, in: repository) == nil)
            #expect(try await client.headManifest(target, in: repository) == nil)
            #expect(try await client.tags(of: repository) == ["3"])
            #expect(try await client.headManifest(.digest(other.digest), in: repository) == other.digest)
        }
    }

    @Test func `a tag is deleted, and what it points at stays`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.add(image, "app", tag: "latest")
        let repository = try registry.repository()
        try await withClient { client async throws in
            #expect(try await client.deleteManifest(tag, in: repository) == .deleted)
            #expect(try await client.deleteManifest(tag, in: repository) == .absent)
            #expect(try await client.tags(of: repository) == [])
            #expect(try await client.headManifest(.digest(image.digest), in: repository) == image.digest)
        }
    }

    /// distribution 2.8 deletes by digest alone.
    @Test func `a registry that knows no tags to delete says so, and deletes nothing`() async throws {
        let registry = try await RegistryKind.docker.start()
        try registry.add(image, "app", tag: "latest")
        let repository = try registry.repository()
        try await withClient { client async throws in
            #expect(try await client.deleteManifest(tag, in: repository) == .unsupported)
            #expect(try await client.headManifest(tag, in: repository) == image.digest)
        }
    }

    /// Whether the manifest is there makes no difference: so an absent one tells whether deletion is on.
    @Test func `deletion that is off is off for what is absent too`() async throws {
        for options in [RegistryOptions(allowsDelete: false), RegistryOptions(isReadOnly: true)] {
            let registry = try await RegistryKind.docker.start(options)
            try registry.add(image, "app", tag: "latest")
            let repository = try registry.repository()
            try await withClient { client async throws in
                for digest in [image.digest, other.digest] {
                    #expect(try await client.deleteManifest(.digest(digest), in: repository) == .unsupported)
                }
                #expect(try await client.headManifest(tag, in: repository) == image.digest)
            }
        }
    }

    /// A status and a code, and what they say for a digest and for a tag; nil where it is an error.
    @Test(
        arguments: [
            (202, "", .deleted, .deleted), (200, "", .deleted, .deleted), (204, "", .deleted, .deleted),
            (404, "MANIFEST_UNKNOWN", .absent, .absent), (405, "UNSUPPORTED", .unsupported, .unsupported),
            (501, "", .unsupported, .unsupported), (400, "UNSUPPORTED", .unsupported, .unsupported),
            (400, "DIGEST_INVALID", nil, .unsupported), (403, "DENIED", nil, nil), (500, "UNKNOWN", nil, nil),
            (409, "", nil, nil),
        ] as [(Int, String, RegistryClient.DeletionOutcome?, RegistryClient.DeletionOutcome?)]
    )
    func `what registries answer is told apart`(
        status: Int,
        code: String,
        digest: RegistryClient.DeletionOutcome?,
        tag: RegistryClient.DeletionOutcome?
    ) async throws {
        let registry = try ScriptedRegistry { _ in code.isEmpty ? Answer(status) : .error(status, code) }
        let repository = try registry.repository()
        for (target, expected) in [(ManifestTarget.digest(image.digest), digest), (self.tag, tag)] {
            if let expected {
                let outcome = try await withClient { try await $0.deleteManifest(target, in: repository) }
                #expect(outcome == expected)
            } else {
                let error = try await clientFailure { try await $0.deleteManifest(target, in: repository) }
                #expect(error.status == status)
                #expect(error.code == (status == 403 ? .denied : .unexpectedStatus))
                #expect(error.description.hasPrefix("deleting \(target.name(in: repository)): DELETE http://"))
            }
        }
    }

    /// What becomes of the first attempt, which the registry has carried out or not, and what the second finds.
    @Test(
        arguments: [
            (Answer(transfer: .closedBeforeHead), true, .deleted), (Answer(504), true, .deleted),
            (Answer(429), false, .absent), (Answer(503), false, .deleted),
        ] as [(Answer, Bool, RegistryClient.DeletionOutcome)]
    )
    func `a manifest is deleted although the answer was lost, and absent where nothing can have been done`(
        first: Answer,
        isCarriedOut: Bool,
        outcome: RegistryClient.DeletionOutcome
    ) async throws {
        let content = RegistryContent(deletion: .byDigest)
        let target = ManifestTarget.digest(image.digest)
        if isCarriedOut { try content.add(image, repository: "app", tag: "latest") }
        let turns = Turns()
        let registry = try ScriptedRegistry { request in
            guard turns.next() == 1 else { return content.answer(request) }
            if isCarriedOut { _ = content.answer(request) }
            return first
        }
        let repository = try registry.repository()
        let result = try await withClient(TestClock().configuration()) {
            try await $0.deleteManifest(target, in: repository)
        }
        #expect(result == outcome)
        #expect(registry.count("DELETE") == 2)
        #expect(content.manifest(image.digest, repository: "app") == nil)
    }
}
