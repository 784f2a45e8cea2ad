import OCI
import RegistryClient
import TestSupport
import Testing

/// What a registry may say of a manifest that is not so.
@Suite struct ManifestFaultTests {
    private let image: TestImage

    init() throws {
        var builder = ImageBuilder()
        image = try builder.image()
    }

    private var answer: Answer {
        Answer(headers: [("Content-Type", image.top.mediaType.rawValue)], body: image.document.bytes)
    }

    /// The error of fetching a manifest from a registry that always answers the same, and that registry's address.
    private func refusal(
        _ answer: Answer,
        of target: ManifestTarget = .tag(.latest),
        expected: Descriptor? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RegistryError {
        let registry = try ScriptedRegistry { _ in answer }
        let repository = try registry.repository()
        let error = try await clientFailure(sourceLocation: sourceLocation) {
            try await $0.fetchManifest(target, in: repository, expected: expected)
        }
        #expect(error.operation == "fetching the manifest of", sourceLocation: sourceLocation)
        #expect(error.subject == target.name(in: repository), sourceLocation: sourceLocation)
        #expect(error.description.contains(target.name(in: repository)), sourceLocation: sourceLocation)
        let url = "http://\(registry.address)/v2/app/manifests/\(target)"
        #expect(error.request == "GET \(url)", sourceLocation: sourceLocation)
        #expect(error.status == answer.status, sourceLocation: sourceLocation)
        return error
    }

    @Test func `other bytes than the digest's are refused`() async throws {
        let other = try Digest.of(Array("other".utf8))
        let error = try await refusal(answer, of: .digest(other))
        #expect(error.code == .digestMismatch(expected: other, actual: image.digest))
        #expect(error.description.contains("the digest must be \(other), but is \(image.digest)"))
    }

    @Test func `bytes that are no manifest are wrong bytes first`() async throws {
        let text = Array("<html>".utf8)
        let error = try await refusal(Answer(body: text), of: .digest(image.digest))
        #expect(error.code == .digestMismatch(expected: image.digest, actual: try Digest.of(text)))
    }

    @Test(arguments: [-1, 1] as [Int64])
    func `another size than the descriptor's is refused`(difference: Int64) async throws {
        let wrong = image.top.size + difference
        let descriptor = Descriptor(mediaType: image.top.mediaType, digest: image.digest, size: wrong)
        let error = try await refusal(answer, of: .digest(image.digest), expected: descriptor)
        #expect(error.code == .sizeMismatch(expected: wrong, actual: image.top.size))
    }

    @Test func `a tag whose digest is stated wrongly is refused`() async throws {
        let stated = try Digest.of(Array("other".utf8))
        let error = try await refusal(answer.with("Docker-Content-Digest", "\(stated)"))
        #expect(error.code == .digestMismatch(expected: stated, actual: image.digest))
    }

    @Test func `a stated digest that is none breaks the protocol`() async throws {
        let error = try await refusal(answer.with("Docker-Content-Digest", "sha256:xyz"))
        #expect(error.code == .malformedAnswer)
        #expect(error.reason?.hasPrefix("Docker-Content-Digest: ") == true)
    }

    @Test func `a type that the manifest contradicts is refused`() async throws {
        let error = try await refusal(
            Answer(headers: [("Content-Type", MediaType.dockerManifest.rawValue)], body: image.document.bytes)
        )
        #expect(
            error.code == .unusableManifest(DocumentError(.typesDisagree(declared: .dockerManifest, own: .ociManifest)))
        )
    }

    @Test func `a type that the parent contradicts is refused`() async throws {
        let descriptor = Descriptor(mediaType: .dockerManifest, digest: image.digest, size: image.top.size)
        let error = try await refusal(answer, of: .digest(image.digest), expected: descriptor)
        #expect(
            error.code == .unusableManifest(DocumentError(.typesDisagree(declared: .dockerManifest, own: .ociManifest)))
        )
    }

    @Test(arguments: [
        // By its type, whatever the bytes are.
        ("{}", "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        ("{}", "application/vnd.docker.distribution.manifest.v1+json"),
        // By its own word.
        (#"{"schemaVersion":1,"fsLayers":[]}"#, "application/json"),
    ])
    func `schema 1 is refused with an explanation`(text: String, type: String) async throws {
        let error = try await refusal(.text(text, type: type))
        #expect(error.code == .unusableManifest(DocumentError(.schema1)))
        #expect(error.description.contains("Docker 1.10") || error.description.contains("schema 1"))
    }

    @Test(arguments: ["", "<html>", "[]", #"{"config":5}"#, #"{"manifests":[{}]}"#])
    func `what is no manifest is refused`(text: String) async throws {
        let error = try await refusal(.text(text, type: "application/json"))
        guard case .unusableManifest(let cause) = error.code, case .unreadable = cause.code else {
            Issue.record("\(error.code)")
            return
        }
        #expect(error.description.contains("the manifest cannot be read"))
    }

    /// The registry would go on: the connection ends as soon as it is clear that there is too much.
    @Test func `a manifest over 4 MiB is not read to its end`() async throws {
        let body = [UInt8](repeating: UInt8(ascii: " "), count: 16 << 20)
        for transfer in [Answer.Transfer.whole, .chunked] {
            let error = try await refusal(Answer(body: body, transfer: transfer))
            #expect(error.code == .unusableManifest(DocumentError(.tooLarge(byteCount: (4 << 20) + 1))))
        }
        // Of one that stalls after 5 MiB there is nothing to wait for.
        let stalled = try await refusal(
            Answer(body: body, transfer: .stalled(after: 5 << 20)),
            of: .digest(image.digest)
        )
        #expect(stalled.code == .unusableManifest(DocumentError(.tooLarge(byteCount: (4 << 20) + 1))))
    }

    @Test func `a manifest of 4 MiB is fetched`() async throws {
        var text = Array(#"{"mediaType":"\#(MediaType.ociIndex)","manifests":[]}"#.utf8)
        text += [UInt8](repeating: UInt8(ascii: " "), count: (4 << 20) - text.count)
        let registry = try ScriptedRegistry { [text] _ in Answer(body: text) }
        let repository = try registry.repository()
        let document = try await withClient { try await $0.fetchManifest(.tag(.latest), in: repository) }
        #expect(document.bytes == text)
    }

    @Test func `a manifest that is cut off is a lost connection`() async throws {
        let registry = try ScriptedRegistry { [answer] _ in answer.sent(.truncated(after: 10)) }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.fetchManifest(.tag(.latest), in: repository) }
        #expect(error.code == .connectionLost)
        #expect(error.subject == "\(repository):latest")
    }
}
