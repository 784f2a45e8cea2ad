import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct ReferrersTests {
    private let image: TestImage
    private let signatures: [TestImage]

    init() throws {
        var builder = ImageBuilder(seed: 410)
        let image = try builder.image()
        self.image = image
        signatures = try ["a", "b", "c"].map { try builder.artifact(payload: Array($0.utf8), subject: image) }
    }

    /// An index of referrers, as the specification has it.
    private static func page(_ referrers: [TestImage]) throws -> Answer {
        let page = try ImageBuilder().index(of: referrers)
        return Answer(headers: [("Content-Type", MediaType.ociIndex.rawValue)], body: page.document.bytes)
    }

    @Test func `what refers to an image is listed`() async throws {
        let registry = try await EmbeddedRegistry()
        try registry.add(image, "app")
        for signature in signatures { try registry.storage.add(signature, repository: "app") }
        let repository = try registry.repository()
        let (found, none) = try await withClient { client in
            (
                try await client.referrers(of: image.digest, in: repository),
                try await client.referrers(of: signatures[0].digest, in: repository)
            )
        }
        #expect(found?.map(\.digest).sorted() == signatures.map(\.digest).sorted())
        #expect(none == [])
    }

    @Test func `a registry without the list has none`() async throws {
        let registry = try await RegistryKind.docker.start()
        try registry.add(image, "app")
        let repository = try registry.repository()
        let referrers = try await withClient { try await $0.referrers(of: image.digest, in: repository) }
        #expect(referrers == nil)
    }

    /// The second page has fewer than the others and is not the last.
    @Test func `all pages are fetched`() async throws {
        let pages = [[signatures[0]], [], [signatures[1], signatures[2]]]
        let registry = try ScriptedRegistry { request in
            let number = request.query["page"].flatMap { Int($0) } ?? 0
            guard let answer = try? Self.page(pages[number]) else { return Answer(500) }
            return number == 2 ? answer : answer.with("Link", "<?page=\(number + 1)>; rel=\"next\"")
        }
        let repository = try registry.repository()
        let referrers = try await withClient { try await $0.referrers(of: image.digest, in: repository) }
        #expect(referrers?.map(\.digest) == signatures.map(\.digest))
        #expect(registry.requests.count == 3)
    }

    /// Half a list would pass for a whole one.
    @Test(arguments: [404, 500])
    func `a page that is missing is an error`(status: Int) async throws {
        let registry = try ScriptedRegistry { [signatures] request in
            guard request.query["page"] == nil, let answer = try? Self.page(signatures) else { return Answer(status) }
            return answer.with("Link", "<?page=1>; rel=\"next\"")
        }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.referrers(of: image.digest, in: repository) }
        #expect(error.status == status)
        #expect(error.operation == "listing what refers to")
        #expect(error.subject == "\(repository)@\(image.digest)")
    }

    @Test(arguments: [400, 404, 405, 406, 501, 200])
    func `a page for people is no list`(status: Int) async throws {
        let registry = try ScriptedRegistry { _ in .text("<html>", status: status, type: "text/html; charset=utf-8") }
        let repository = try registry.repository()
        let referrers = try await withClient { try await $0.referrers(of: image.digest, in: repository) }
        #expect(referrers == nil)
    }

    /// What is answered, and the kind of the error.
    @Test(
        arguments: [
            (Answer.error(403, "DENIED"), .denied), (Answer(500), .unexpectedStatus),
            (.text("[]"), .malformedAnswer), (.text(#"{"manifests":[{"digest":"x"}]}"#), .malformedAnswer),
        ] as [(Answer, RegistryError.Code)]
    )
    func `a list that cannot be read is an error`(answer: Answer, code: RegistryError.Code) async throws {
        let registry = try ScriptedRegistry { _ in answer }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.referrers(of: image.digest, in: repository) }
        #expect(error.code == code)
        #expect(error.status == answer.status)
    }
}
