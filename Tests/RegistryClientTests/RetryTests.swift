import OCI
import RegistryClient
import TestSupport
import Testing

/// What is tried again.
@Suite struct RetryTests {
    private let clock = TestClock()
    private let content = RegistryContent(deletion: .byDigest)
    private let image: TestImage
    private let blob: TestBlob

    init() throws {
        var builder = ImageBuilder()
        image = try builder.image()
        blob = try TestBlob.random(5000)
        try content.add(image, repository: "app", tag: "latest")
        try content.add(blob, repository: "app")
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 507, 599])
    func `a status that may pass is asked again, three times over`(status: Int) async throws {
        let registry = try faulty([Answer(status), Answer(status), Answer(status)], then: content.answer)
        let repository = try registry.repository()
        let tags = try await withClient(clock.configuration()) { try await $0.tags(of: repository) }
        #expect(tags == ["latest"])
        #expect(registry.requests.count == 4)
        #expect(clock.waits == [.milliseconds(500), .seconds(1), .seconds(2)])
    }

    @Test(arguments: [400, 401, 403, 404, 405, 409, 410, 413, 416, 418, 422, 501, 505])
    func `a status that will not pass is told at once`(status: Int) async throws {
        let registry = try ScriptedRegistry { _ in Answer(status) }
        let repository = try registry.repository()
        let error = try await clientFailure(clock.configuration()) { try await $0.tags(of: repository) }
        #expect(error.status == status)
        #expect(error.attempts == nil)
        #expect(!error.description.contains("tried"))
        #expect(registry.requests.count == 1)
        #expect(clock.waits.isEmpty)
    }

    @Test(arguments: [
        Answer.Transfer.closedBeforeHead, .resetBeforeHead, .stalledBeforeHead, .truncated(after: 3), .reset(after: 3),
        .stalled(after: 3),
    ])
    func `a connection that fails is made again`(transfer: Answer.Transfer) async throws {
        let registry = try faulty([Answer(body: Array("{\"tags\":[]}".utf8), transfer: transfer)], then: content.answer)
        let repository = try registry.repository()
        var configuration = clock.configuration()
        configuration.idleTimeout = .seconds(2)
        let tags = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(tags == ["latest"])
        #expect(registry.requests.count == 2)
        #expect(clock.waits == [.milliseconds(500)])
    }

    @Test func `every kind of request is sent again as it was`() async throws {
        let registry = try ScriptedRegistry { [content, turns = Turns()] request in
            turns.next() % 2 == 1 ? Answer(503) : content.answer(request)
        }
        let (repository, other) = (try registry.repository(), try registry.repository("other"))
        try await withClient(clock.configuration()) { client in
            let document = try await client.fetchManifest(.tag(.latest), in: repository)
            let bytes = try await client.fetchManifestBytes(.tag(.latest), in: repository)
            #expect(bytes?.digest == image.digest)
            let digest = try await client.headManifest(.tag(.latest), in: repository)
            #expect(digest == image.digest)
            let isThere = try await client.hasBlob(blob.descriptor, in: repository)
            #expect(isThere)
            for blob in image.blobs {
                let outcome = try await client.mountBlob(blob.digest, from: repository, to: other)
                #expect(outcome == .mounted)
            }
            try await client.putManifest(document, as: .tag(.latest), in: other)
            let deletion = try await client.deleteManifest(.digest(image.digest), in: repository)
            #expect(deletion == .deleted)
        }
        #expect(content.digest(ofTag: "latest", repository: "other") == image.digest)
        #expect(content.digest(ofTag: "latest", repository: "app") == nil)
        let lines = registry.lines
        #expect(lines.count == 2 * (6 + image.blobs.count))
        for pair in stride(from: 0, to: lines.count, by: 2) { #expect(lines[pair] == lines[pair + 1]) }
        let puts = registry.requests.filter { $0.method == "PUT" }
        #expect(puts.map(\.body) == [image.document.bytes, image.document.bytes])
    }

    @Test func `a token server that fails is asked again`() async throws {
        let issuer = TokenIssuer()
        let registry = try faulty(
            [Answer(503), Answer(transfer: .resetBeforeHead)],
            where: { $0.path == "/token" },
            then: issuer.guarding(content.answer)
        )
        let repository = try registry.repository()
        let tags = try await withClient(clock.configuration()) { try await $0.tags(of: repository) }
        #expect(tags == ["latest"])
        #expect(registry.count("GET", containing: "/token") == 3)
        #expect(clock.retries.map(\.error.code) == [.unexpectedStatus, .connectionLost])
    }

    @Test func `a manifest with a flipped bit is fetched again`() async throws {
        var wrong = image.document.bytes
        wrong[wrong.count / 2] ^= 1
        let type = image.document.mediaType.rawValue
        let registry = try faulty([Answer(headers: [("Content-Type", type)], body: wrong)], then: content.answer)
        let repository = try registry.repository()
        let document = try await withClient(clock.configuration()) {
            try await $0.fetchManifest(.digest(image.digest), in: repository)
        }
        #expect(document.bytes == image.document.bytes)
        #expect(registry.requests.count == 2)
    }

    @Test func `bytes that are wrong in the same way twice are not fetched a third time`() async throws {
        let registry = try ScriptedRegistry { _ in .text("{}") }
        let repository = try registry.repository()
        let error = try await clientFailure(clock.configuration()) {
            try await $0.fetchManifestBytes(.digest(image.digest), in: repository)
        }
        let actual = try Digest.of(Array("{}".utf8))
        #expect(error.code == .digestMismatch(expected: image.digest, actual: actual))
        #expect(error.attempts?.count == 2)
        #expect(registry.requests.count == 2)
    }
}
