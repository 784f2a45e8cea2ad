import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Drayage

/// Removals that are refused, fail in the middle, or meet a registry with ways of its own.
@Suite(.timeLimit(.minutes(10))) struct RegistryRemovalFaultTests {
    private let (index, image): (TestImage, TestImage)

    init() throws {
        var builder = ImageBuilder(seed: 450)
        (index, image) = (try builder.multiPlatform(), try builder.image())
    }

    /// Everything goes but the tag `2`, which shares its image with the tag `1`.
    private func plan(for subject: RegistrySubject) async throws -> PrunePlan {
        let going = [index.digest] + index.children.map(\.digest)
        return try PrunePlan(try await subject.contents(), removing: ["app": (["1", "index"], going)])
    }

    /// Expects that nothing has gone.
    private func expectAll(
        at subject: RegistrySubject,
        _ path: String = "app",
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        for tag in ["1", "2"] { try await subject.expectPulls(image, path, tag: tag, location) }
        try await subject.expectPulls(index, path, tag: "index", location)
    }

    // MARK: - Registries that refuse

    /// Debian's registry with deletion off and read-only, and ours read-only.
    @Test(
        arguments: [
            (.docker, RegistryOptions(allowsDelete: false)), (.docker, RegistryOptions(isReadOnly: true)),
            (.embedded, RegistryOptions(isReadOnly: true)),
        ] as [(RegistryKind, RegistryOptions)]
    )
    func `deletion that is off is found out before anything is changed`(kind: RegistryKind, options: RegistryOptions)
        async throws
    {
        // The directory has to be there before it can be served read-only.
        let storage = try RegistryStorage(in: ScratchDirectory(inMemory: true))
        for (image, tag) in [(image, "1"), (image, "2"), (index, "index")] {
            try storage.add(image, repository: "app", tag: tag)
        }
        let registry = try await kind.start(options, on: storage)
        let subject = RegistrySubject(registry.address)
        let plan = try await plan(for: subject)
        let error = await #expect(throws: DrayageError.self) { try await subject.remove(plan) }
        let message = try #require(error).description
        #expect(message.hasPrefix("\(registry.address) does not delete manifests, so nothing was removed; "))
        #expect(message.contains("storage.delete.enabled: true"))
        #expect(message.contains("REGISTRY_STORAGE_DELETE_ENABLED=true"))
        try await expectAll(at: subject)
        // One question, about a digest that is nobody's.
        let requests = try await registry.finish()
        #expect(requests.filter { $0.method == "DELETE" }.map(\.status) == [405])
        #expect(requests.count("PUT") == 0 && requests.count("POST") == 0)
        for document in index.documents + image.documents {
            #expect(requests.count("DELETE", containing: "\(document.digest)") == 0)
        }
    }

    @Test(arguments: [401, 403])
    func `who may not delete is told so before anything is changed`(status: Int) async throws {
        let source = try source { $0.method == "DELETE" ? .error(status, "DENIED") : nil }
        let subject = RegistrySubject(source.address)
        let plan = try await plan(for: subject)
        let error = await #expect(throws: RegistryError.self) { try await subject.remove(plan) }
        #expect(ExitStatus(of: try #require(error)) == .unauthorized)
        try await expectAll(at: subject)
        #expect(source.registry.count("DELETE") == 1 && source.registry.count("PUT") == 0)
    }

    /// A token for looking, one for deleting, and one for the throw-away manifest.
    @Test func `the tokens are for what is done, and no more`() async throws {
        let issuer = TokenIssuer()
        let content = RegistryContent(deletion: .byDigest)
        try add(to: content, "app")
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let subject = RegistrySubject(registry.address)
        let outcome = try await subject.remove(try await plan(for: subject))
        #expect(outcome.failures.map(\.message) == [] && outcome.tagCount == 2 && outcome.manifestCount == 3)
        let scopes = Set(issuer.issued.flatMap(\.scopes))
        let actions = ["pull", "pull,delete", "pull,push"]
        #expect(scopes == Set(["registry:catalog:*"] + actions.map { "repository:app:\($0)" }))
    }

    // MARK: - Registries with ways of their own

    /// On some registries the deletion of a tag takes its manifest, with all other tags.
    @Test func `a registry whose tags take their manifests with them loses none that stays`() async throws {
        let source = try source(deletion: .byTagWithManifest) { _ in nil }
        let subject = RegistrySubject(source.address)
        let outcome = try await subject.remove(try await plan(for: subject))
        #expect(outcome.failures.map(\.message) == [])
        // The index went with its tag, and its own deletion found nothing.
        #expect(outcome.tagCount == 2 && outcome.manifestCount == 2)
        try await subject.expectPulls(image, "app", tag: "2")
        #expect(try await subject.digest(of: "1", "app") == nil)
        #expect(try await subject.digest(of: "index", "app") == nil)
        #expect(source.registry.count("DELETE", containing: "\(image.digest)") == 0)
        #expect(source.registry.count("DELETE", containing: "/manifests/1") == 0)
    }

    /// What the throw-away manifest is put under is not what the registry then says: nothing is deleted.
    @Test func `a tag that cannot be pointed elsewhere stays as it is`() async throws {
        let source = try source { request in
            request.method == "PUT" ? Answer(201) : nil
        }
        let subject = RegistrySubject(source.address)
        let outcome = try await subject.remove(try await plan(for: subject))
        #expect(outcome.failures.map(\.subject) == ["\(source.address)/app:1"])
        #expect(outcome.failures.first?.message.contains("was pointed at the empty index sha256:") == true)
        #expect(outcome.tagCount == 0 && outcome.manifestCount == 0)
        try await expectAll(at: subject)
        #expect(source.registry.count("DELETE") == 1)
    }

    // MARK: - Failures in the middle

    @Test func `a failure ends the work on its repository, and no other`() async throws {
        let bad = index.children[0].digest
        let source = try source { request in
            request.method == "DELETE" && request.path == "/v2/app/manifests/\(bad)" ? .error(500, "UNKNOWN") : nil
        }
        try add(to: source.content, "fine")
        let subject = RegistrySubject(source.address)
        let going = [index.digest] + index.children.map(\.digest)
        let removing = ["app", "fine"].map { ($0, (tags: ["1", "index"], manifests: going)) }
        let contents = try await subject.contents()
        let plan = try PrunePlan(contents, removing: Dictionary(uniqueKeysWithValues: removing))
        let outcome = try await subject.remove(plan)
        #expect(outcome.failures.map(\.subject) == ["\(source.address)/app@\(bad)"])
        #expect(outcome.failures.first?.message.contains("answered 500: UNKNOWN: no") == true)
        #expect(outcome.failures.first?.exitCode == .failed)
        #expect(outcome.tagCount == 4 && outcome.manifestCount == 4)
        for path in ["app", "fine"] { try await subject.expectPulls(image, path, tag: "2") }
        #expect(try await subject.has(index.children[1].digest, "app"))
        #expect(try await !subject.has(index.children[1].digest, "fine"))
    }

    /// Two tags whose manifest goes and stays, which somebody has moved since the plan was made.
    @Test(arguments: ["1", "index"])
    func `a tag that was moved is left where it is`(tag: String) async throws {
        let registry = try await EmbeddedRegistry()
        for (image, tag) in [(image, "1"), (image, "2"), (index, "index")] { try registry.add(image, "app", tag: tag) }
        let subject = RegistrySubject(registry.address)
        let plan = try await plan(for: subject)
        var builder = ImageBuilder(seed: 451)
        let new = try builder.image()
        try registry.add(new, "app", tag: tag)
        let outcome = try await subject.remove(plan)
        #expect(outcome.failures.map(\.subject) == ["\(registry.address)/app:\(tag)"])
        #expect(outcome.failures.first?.message.contains("has been moved to \(new.digest) since") == true)
        #expect(outcome.manifestCount == 0 && outcome.repositoryCount == 0)
        try await subject.expectPulls(new, "app", tag: tag)
        try await subject.expectPulls(image, "app", tag: "2")
        try await subject.expectPulls(index, "app")
    }

    /// A plan may come from a file that somebody has changed.
    @Test func `a plan that takes a manifest from a tag that stays is not carried out`() async throws {
        let source = try source { _ in nil }
        let subject = RegistrySubject(source.address)
        let tags = try [("1", PrunePlan.Action.remove), ("2", .keep)].map { tag, action in
            PrunePlan.TagEntry(tag: try Tag(parsing: tag), digest: image.digest, action: action, reason: "")
        }
        let manifest = PrunePlan.ManifestEntry(digest: image.digest, byteCount: 0, action: .remove, reason: "")
        let outcome = try await subject.remove(PrunePlan(app: tags, manifests: [manifest]))
        #expect(outcome.failures.map(\.subject) == ["\(source.address)/app"])
        #expect(outcome.failures.first?.message.contains("the plan removes \(image.digest) and keeps it too") == true)
        try await expectAll(at: subject)
    }

    // MARK: - Ends

    /// The registry goes away with the first manifest that it is to delete, and there are forty repositories.
    @Test func `a registry that has gone is not asked for all the rest`() async throws {
        let content = RegistryContent(deletion: .byDigest)
        let running = Mutex<ScriptedRegistry?>(nil)
        let digest = image.digest
        let registry = try ScriptedRegistry { request in
            guard request.method == "DELETE", request.path.hasSuffix("\(digest)") else {
                return content.answer(request)
            }
            running.withLock { $0 }?.stop()
            return Answer(transfer: .closedBeforeHead)
        }
        running.withLock { $0 = registry }
        for number in 0..<40 { try content.add(image, repository: "app\(number)", tag: "1") }
        let subject = RegistrySubject(registry.address)
        let contents = try await subject.contents()
        let removing = (0..<40).map { ("app\($0)", (tags: ["1"], manifests: [digest])) }
        let plan = try PrunePlan(contents, removing: Dictionary(uniqueKeysWithValues: removing))
        let outcome = try await subject.remove(plan)
        // Those that were under way at once, and those that found nobody there.
        #expect((1...8).contains(outcome.failures.count))
        #expect(outcome.failures.allSatisfy { $0.exitCode == .failed })
        #expect(outcome.manifestCount == 0 && outcome.repositoryCount == 0)
        #expect((0..<40).allSatisfy { content.digest(ofTag: "1", repository: "app\($0)") == digest })
        running.withLock { $0 = nil }
    }

    /// It ends between the arrival of the throw-away manifest and its deletion; the next prune does the rest.
    @Test func `a removal that is cancelled takes nothing that stays`() async throws {
        let (hasPut, isOver) = (Flag(), Flag())
        let source = try source { request in
            if request.method == "PUT" { hasPut.set(true) }
            guard request.method == "DELETE", hasPut.isSet, !isOver.isSet else { return nil }
            return Answer().sent(.stalledBeforeHead)
        }
        let subject = RegistrySubject(source.address)
        let plan = try await plan(for: subject)
        let task = Task { try await subject.remove(plan) }
        try await until { source.registry.count("DELETE") == 2 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        isOver.set(true)
        try await subject.expectPulls(image, "app", tag: "2")
        try await subject.expectPulls(index, "app", tag: "index")
        let left = try #require(source.content.digest(ofTag: "1", repository: "app"))
        #expect(!(index.documents + image.documents).map(\.digest).contains(left))
        let next = try PrunePlan(try await subject.contents(), removing: ["app": (["1"], [left])])
        let outcome = try await subject.remove(next)
        #expect(outcome.failures.map(\.message) == [] && outcome.tagCount == 1 && outcome.manifestCount == 1)
        try await subject.expectPulls(image, "app", tag: "2")
        #expect(source.content.manifest(left, repository: "app") == nil)
    }

    // MARK: - Parts

    private func add(to content: RegistryContent, _ path: String) throws {
        for (image, tag) in [(image, "1"), (image, "2"), (index, "index")] {
            try content.add(image, repository: path, tag: tag)
        }
    }

    private func source(
        deletion: RegistryContent.Deletion = .byDigest,
        except fault: @escaping @Sendable (Request) -> Answer?
    ) throws -> Source {
        let source = try Source(deletion: deletion, except: fault)
        try add(to: source.content, "app")
        return source
    }
}
