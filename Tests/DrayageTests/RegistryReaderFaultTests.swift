import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

/// What cannot be read of a registry, and what it costs the rest.
@Suite struct RegistryReaderFaultTests {
    private let index: TestImage
    private let image: TestImage
    private var child: TestImage { index.children[0] }

    init() throws {
        var builder = ImageBuilder(seed: 430)
        (index, image) = (try builder.multiPlatform(), try builder.image())
    }

    /// Reads a registry with two repositories, `app` with the tags `image` and `index` and `other`, that answers some
    /// requests as the test says.
    private func read(
        pageSize: Int = 100,
        selection: RegistryReader.Selection = .init(),
        except fault: @escaping @Sendable (Request) -> Answer?
    ) async throws -> (RegistryContents, Source) {
        let source = try Source(pageSize: pageSize, except: fault)
        source.add(index, image)
        return (try await RegistrySubject(source.address).contents(selection), source)
    }

    private func error(except fault: @escaping @Sendable (Request) -> Answer?) async throws -> any Error {
        let source = try Source(except: fault)
        source.add(index, image)
        return try #require(
            await #expect(throws: (any Error).self) { try await RegistrySubject(source.address).contents() }
        )
    }

    // MARK: - Listings

    @Test func `short pages are not taken for the last`() async throws {
        let (contents, source) = try await read(pageSize: 1) { request in
            // An empty page, and a link to the first real one.
            request.path.hasSuffix("list") && request.query.isEmpty
                ? .text(#"{"tags":[]}"#).with("Link", "<\(request.path)?last=>; rel=\"next\"") : nil
        }
        #expect(contents.repositories.map(\.tags.count) == [2, 1])
        #expect(source.registry.count("GET", containing: "/v2/app/tags/list") == 3)
        #expect(source.registry.count("GET", containing: "/v2/_catalog") == 2)
    }

    /// A status, with the exit code that it gives.
    @Test(arguments: [(404, ExitStatus.failed), (405, .failed), (401, .unauthorized), (403, .unauthorized)])
    func `where there is no catalog, the repositories have to be named`(status: Int, exit: ExitStatus) async throws {
        let fault: @Sendable (Request) -> Answer? = { $0.path == "/v2/_catalog" ? .error(status, "UNSUPPORTED") : nil }
        let error = try #require(try await error(except: fault) as? DrayageError)
        #expect(error.description.contains("does not list its repositories; name them with --repository: "))
        #expect(ExitStatus(of: error) == exit)
        var selection = RegistryReader.Selection()
        selection.repositories = try ["app", "absent"].map { try RepositoryPath(parsing: $0) }
        let (contents, source) = try await read(selection: selection, except: fault)
        #expect(contents.repositories.map(\.path.description) == ["absent", "app"])
        #expect(contents.repositories.map(\.tags.count) == [0, 2])
        #expect(contents.problems.isEmpty)
        #expect(source.registry.count("GET", containing: "_catalog") == 0)
    }

    /// How the tags of `app` are answered.
    @Test(arguments: [Answer.error(403, "DENIED"), Answer.error(401, "UNAUTHORIZED"), Answer(500), .text("<html>")])
    func `a repository that cannot be read is a problem, and no other is`(answer: Answer) async throws {
        let (contents, source) = try await read { $0.path == "/v2/app/tags/list" ? answer : nil }
        #expect(contents.repositories.map(\.path.description) == ["other"])
        #expect(contents.problems.map(\.subject) == ["app"])
        let message = try #require(contents.problems.first?.message)
        #expect(message.hasPrefix("listing the tags of \(source.address)/app: "))
    }

    @Test func `where no repository may be read, that is the error`() async throws {
        let error = try await error { $0.path.hasSuffix("list") ? .error(403, "DENIED") : nil }
        #expect((error as? RegistryError)?.code == .denied)
        #expect(ExitStatus(of: error) == .unauthorized)
    }

    @Test func `a registry that cannot be reached is an error`() async throws {
        let address = try ScriptedRegistry.refusingAddress()
        let error = await #expect(throws: RegistryError.self) { try await RegistrySubject(address).contents() }
        #expect(error?.code == .unreachable)
    }

    @Test func `names that none can have are told, and the rest is read`() async throws {
        let (contents, _) = try await read { request in
            switch request.path {
            case "/v2/_catalog": .text(#"{"repositories":["app","Upper","gone","other"]}"#)
            case "/v2/other/tags/list": .text(#"{"tags":["1","-x\u001b"]}"#)
            default: nil
            }
        }
        // The one that is gone is listed and answers 404: it is empty.
        #expect(contents.repositories.map(\.path.description) == ["app", "gone", "other"])
        #expect(contents.repositories.map(\.tags.count) == [2, 0, 1])
        #expect(contents.problems.map(\.subject) == ["Upper"])
        #expect(contents.problems.first?.message.contains(#""Upper" is not a valid reference"#) == true)
        let other = try contents.repository("other")
        #expect(other.damage.count == 1 && other.damagedTags.isEmpty)
        #expect(other.damage.first?.contains(#"/other:-x\u{1B}: "#) == true)
    }

    // MARK: - Tags

    @Test func `a tag that is gone when it is looked up is none`() async throws {
        let (contents, _) = try await read { $0.path == "/v2/app/manifests/index" ? .error(404, "X") : nil }
        let app = try contents.repository("app")
        #expect(app.tags == [try Tag(parsing: "image"): image.digest])
        #expect(Array(app.manifests.keys) == [image.digest] && app.damage.isEmpty)
    }

    @Test func `a tag whose digest cannot be read is damage`() async throws {
        let (contents, source) = try await read { $0.path == "/v2/app/manifests/index" ? Answer(500) : nil }
        let app = try contents.repository("app")
        #expect(app.tags.count == 1)
        #expect(app.damagedTags == [try Tag(parsing: "index")])
        #expect(app.damage.count == 1)
        #expect(app.damage.first?.hasPrefix("looking up \(source.address)/app:index: ") == true)
        #expect(try contents.repository("other").damage.isEmpty)
    }

    // MARK: - Manifests

    /// An answer instead of a manifest, and what is said of it.
    @Test(arguments: [
        (Answer(500), "answered 500"), (.text("{}"), "the digest must be"), (.error(403, "DENIED"), "access is denied"),
        (Answer(200, body: [UInt8](repeating: 32, count: (4 << 20) + 1)), "at most 4194304 are accepted"),
    ])
    func `a manifest that cannot be read is damage`(answer: Answer, reason: String) async throws {
        let (top, beneath) = (index.digest, child.digest)
        for digest in [top, beneath] {
            let (contents, source) = try await read {
                $0.method == "GET" && $0.path == "/v2/app/manifests/\(digest)" ? answer : nil
            }
            let app = try contents.repository("app")
            #expect(app.tags.count == 2)
            #expect(app.damagedManifests == [digest])
            #expect(app.manifests[digest] == nil && app.manifests[image.digest] != nil)
            #expect(app.damage.count == 1)
            #expect(app.damage.first?.contains("\(source.address)/app@\(digest): ") == true)
            #expect(app.damage.first?.contains(reason) == true)
            #expect(try contents.repository("other").damage.isEmpty)
        }
    }

    @Test(arguments: RegistryKind.allCases)
    func `a manifest that went bad on the disk is damage, whichever way the registry says it`(kind: RegistryKind)
        async throws
    {
        let registry = try await kind.start()
        try registry.add(index, "app", tag: "index")
        try registry.add(image, "app", tag: "image")
        try registry.add(image, "other", tag: "1")
        var wrong = child.document.bytes
        wrong[wrong.count / 2] ^= 0x80
        try registry.storage.corrupt(child.digest, with: wrong)
        try registry.storage.corrupt(index.digest, with: Array(index.document.bytes.dropLast()))
        let contents = try await RegistrySubject(registry.address).contents()
        let app = try contents.repository("app")
        #expect(app.damage.count == 1)
        #expect(Array(app.manifests.keys) == [image.digest])
        let isDamaged = app.damagedTags == [try Tag(parsing: "index")] || app.damagedManifests == [index.digest]
        #expect(isDamaged)
        #expect(try contents.repository("other").damage.isEmpty && contents.problems.isEmpty)
    }

    /// A text, and whether it can be understood: what it needs must be known.
    @Test(arguments: [
        (#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#, true),
        (#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#, true),
        (#"{"schemaVersion":2,"layers":[],"manifests":[],"config":null}"#, true),
        (#"{"schemaVersion":2,"mediaType":"application/vnd.example+json","parts":[]}"#, false), ("no JSON", false),
    ])
    func `whatever is served as a manifest is read if its form is known`(text: String, isKnown: Bool) async throws {
        let digest = try Digest.of(Array(text.utf8))
        let (contents, _) = try await read { request in
            guard request.path.hasPrefix("/v2/other/manifests/") else { return nil }
            // It is only for those who take every type.
            guard request.header("Accept")?.contains("*/*") == true else { return Answer(404) }
            return .text(text, type: "application/vnd.example+json").with("Docker-Content-Digest", "\(digest)")
        }
        let other = try contents.repository("other")
        #expect(Array(other.tags.values) == [digest])
        #expect(other.manifests.keys.contains(digest) == isKnown)
        #expect(other.damagedManifests == (isKnown ? [] : [digest]))
        #expect(other.damage.map { $0.hasSuffix("it is no manifest of a known form") } == (isKnown ? [] : [true]))
    }

    @Test func `a child that is not there is no damage, and a tag's manifest that is not there is`() async throws {
        let (top, beneath) = (index.digest, child.digest)
        let (sparse, _) = try await read { $0.path == "/v2/app/manifests/\(beneath)" ? Answer(404) : nil }
        let app = try sparse.repository("app")
        #expect(app.manifests.keys.contains(top) && !app.manifests.keys.contains(beneath))
        #expect(app.manifests.count == 3 && app.damage.isEmpty && app.damagedManifests.isEmpty)
        let (torn, _) = try await read { $0.path == "/v2/app/manifests/\(top)" ? Answer(404) : nil }
        #expect(try torn.repository("app").damagedManifests == [top])
        #expect(try torn.repository("app").damage.count == 1)
    }

    /// Levels of indexes over an image, and whether they are followed.
    @Test(arguments: [(8, true), (9, false)])
    func `indexes are followed as deep as they may be`(levels: Int, isFollowed: Bool) async throws {
        var builder = ImageBuilder(seed: 431)
        let deep = try builder.nestedIndex(levels: levels)
        let source = try Source()
        try source.add(deep, "deep")
        let contents = try await RegistrySubject(source.address).contents().repository("deep")
        #expect(contents.manifests.count == 9)
        #expect(contents.damage.count == (isFollowed ? 0 : 1))
        #expect(contents.damage.allSatisfy { $0.hasSuffix("its indexes are nested more than 8 deep") })
    }

    // MARK: - Referrers

    /// Each page has one, and the pages are followed.
    @Test func `referrers are listed over all pages, and by each manifest`() async throws {
        let builder = ImageBuilder(seed: 432)
        let signatures = try ["a", "b"].map { try builder.artifact(payload: Array($0.utf8), subject: image) }
        let subject = image.digest
        let source = try Source { request in
            guard request.path.contains("/referrers/") else { return nil }
            let isSubject = request.path == "/v2/app/referrers/\(subject)"
            let number = request.query["page"].flatMap { Int($0) } ?? 0
            guard let page = try? builder.index(of: isSubject ? [signatures[number]] : []) else { return Answer(500) }
            let answer = Answer(headers: [("Content-Type", MediaType.ociIndex.rawValue)], body: page.document.bytes)
            return isSubject && number == 0 ? answer.with("Link", "<?page=1>; rel=\"next\"") : answer
        }
        source.add(index, image)
        for signature in signatures { try source.content.add(signature, repository: "app") }
        let app = try await RegistrySubject(source.address).contents().repository("app")
        let all = (index.documents + image.documents + signatures.flatMap(\.documents)).map(\.digest)
        #expect(Set(app.manifests.keys) == Set(all))
        #expect(signatures.allSatisfy { app.manifests[$0.digest]?.subject == subject })
        #expect(app.damage.isEmpty)
        #expect(source.registry.count("GET", containing: "/v2/app/referrers/") == all.count + 1)
    }

    @Test func `referrers that cannot be listed are damage`() async throws {
        let (contents, source) = try await read { $0.path.contains("/referrers/") ? Answer(500) : nil }
        let app = try contents.repository("app")
        #expect(app.manifests.count == 4 && app.damagedManifests.isEmpty)
        #expect(app.damage.count == 4)
        let start = "listing what refers to \(source.address)/app@"
        #expect(app.damage.allSatisfy { $0.hasPrefix(start) })
    }
}

extension Source {
    /// The two repositories of these tests.
    fileprivate func add(_ index: TestImage, _ image: TestImage) {
        for (image, path, tag) in [(index, "app", "index"), (image, "app", "image"), (image, "other", "1")] {
            #expect(throws: Never.self) { try add(image, path, tag: tag) }
        }
    }
}
