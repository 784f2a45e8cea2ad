import OCI
import RegistryClient
import TestSupport
import Testing

@Suite struct MountTests {
    private let blob: TestBlob
    private let file: OpenBlob

    init() throws {
        blob = try TestBlob.random(5000)
        file = try OpenBlob(blob)
    }

    @Test func `a blob of another repository is mounted by one request`() async throws {
        let content = RegistryContent()
        try content.add(blob, repository: "from/here")
        let registry = try ScriptedRegistry(content.answer)
        let (source, target) = (try registry.repository("from/here"), try registry.repository())
        let outcome = try await withClient { try await $0.mountBlob(blob.digest, from: source, to: target) }
        #expect(outcome == .mounted)
        #expect(registry.lines == ["POST /v2/app/blobs/uploads/?mount=\(blob.digest)&from=from/here"])
        #expect(content.blob(blob.digest, repository: "app") == (try blob.bytes))
    }

    @Test func `an upload that was opened instead of a mount is used`() async throws {
        let content = RegistryContent(allowsMount: false)
        let registry = try ScriptedRegistry(content.answer)
        let (source, target) = (try registry.repository("from/here"), try registry.repository())
        try await withClient { client in
            guard case .uploadOpened(let session) = try await client.mountBlob(blob.digest, from: source, to: target)
            else {
                Issue.record("it was mounted")
                return
            }
            try await client.putBlob(blob.descriptor, to: target, from: file.range, session: session) { _ in }
        }
        #expect(registry.requests.map(\.method) == ["POST", "PUT"])
        #expect(registry.lines.last == "PUT /v2/app/blobs/uploads/1?_state=a%2Fb%3D&digest=\(blob.digest)")
        #expect(content.blob(blob.digest, repository: "app") == (try blob.bytes))
    }

    @Test(arguments: [
        (403, RegistryError.Code.denied), (404, .notFound), (405, .unexpectedStatus), (200, .unexpectedStatus),
    ])
    func `a mount that is refused is an error`(status: Int, code: RegistryError.Code) async throws {
        let registry = try ScriptedRegistry { _ in .error(status, "X", "no mounts here") }
        let (source, target) = (try registry.repository("from/here"), try registry.repository())
        let error = try await clientFailure { try await $0.mountBlob(blob.digest, from: source, to: target) }
        #expect(error.code == code)
        #expect(error.status == status)
        #expect(error.operation == "mounting the blob")
        #expect(error.subject == "\(target)@\(blob.digest)")
        #expect(error.request == "POST http://\(registry.address)/v2/app/blobs/uploads/")
        #expect(error.registryMessages == ["X: no mounts here"])
    }

    @Test(arguments: [nil, "", "ftp://127.0.0.1/x"] as [String?])
    func `an upload without a place to go is an error`(location: String?) async throws {
        let registry = try ScriptedRegistry { _ in Answer(202, headers: location.map { [("Location", $0)] } ?? []) }
        let repository = try registry.repository()
        let error = try await clientFailure {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(error.code == .unsafeRedirect)
        #expect(error.operation == "uploading the blob")
        #expect(error.subject == "\(repository)@\(blob.digest)")
        #expect(registry.requests.count == 1)
    }
}
