import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Uploads that fail begin again with a new session, and what they held is given back.
@Suite struct UploadRetryTests {
    private let clock = TestClock()
    private let content = RegistryContent()
    private let blob: TestBlob
    private let file: OpenBlob
    private let sent = Sent()

    init() throws {
        blob = try TestBlob.random(3 << 20)
        file = try OpenBlob(blob)
    }

    private func put(to registry: String, _ session: UploadSession? = nil) async throws {
        let repository = try Repository(registry: registry, path: "app")
        try await withClient(clock.configuration()) { client in
            try await client.putBlob(
                blob.descriptor,
                to: repository,
                from: file.range,
                session: session,
                sent: sent.add
            )
        }
    }

    @Test(arguments: [
        Answer(500), Answer(503), Answer(429), Answer(transfer: .resetBeforeHead), Answer(transfer: .closedBeforeHead),
    ])
    func `an upload whose end fails is cancelled and made again`(fault: Answer) async throws {
        let registry = try faulty([fault], where: { $0.method == "PUT" }, then: content.answer)
        try await put(to: registry.address)
        #expect(content.blob(blob.digest, repository: "app") == (try blob.bytes))
        #expect(registry.requests.map(\.method) == ["POST", "PUT", "HEAD", "DELETE", "POST", "PUT"])
        let paths = registry.requests.map(\.path)
        #expect(paths[1] == "/v2/app/blobs/uploads/1")
        #expect(paths[2] == "/v2/app/blobs/\(blob.digest)")
        #expect(paths[3] == paths[1])
        #expect(paths[5] == "/v2/app/blobs/uploads/2")
        // What left in vain does not count.
        #expect(sent.sum == blob.descriptor.size)
        #expect(sent.back == -blob.descriptor.size)
        #expect(clock.waits == [.milliseconds(500)])
    }

    @Test(arguments: [
        RefusingUploads.Refusal.answerAndRead(503, afterBytes: 1 << 20), .reset(afterBytes: 1 << 20),
        .close(afterBytes: 0), .close(afterBytes: 1 << 20),
    ])
    func `an upload that breaks off in the middle is made again, the third time in chunks`(
        refusal: RefusingUploads.Refusal
    ) async throws {
        let registry = try RefusingUploads(refusal, times: 2)
        try await put(to: registry.address)
        let first = ["POST", "PUT", "HEAD", "DELETE", "POST", "PUT", "GET", "HEAD", "DELETE"]
        #expect(registry.methods == first + ["POST", "PATCH", "PATCH", "PUT"])
        #expect(sent.sum == blob.descriptor.size)
        #expect(clock.waits == [.milliseconds(500), .seconds(1)])
    }

    @Test func `an upload that stalls is made again`() async throws {
        let registry = try RefusingUploads(.stall(afterBytes: 3 << 20), times: 1)
        let repository = try Repository(registry: registry.address, path: "app")
        var configuration = clock.configuration()
        configuration.storeTimeout = .seconds(2)
        try await withClient(configuration) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range, sent: sent.add)
        }
        #expect(clock.retries.map(\.error.code) == [.timeout])
        #expect(sent.sum == blob.descriptor.size)
    }

    @Test func `an upload that cannot be opened is opened again`() async throws {
        let faults = [Answer(503), Answer(transfer: .resetBeforeHead)]
        let registry = try faulty(faults, where: { $0.method == "POST" }, then: content.answer)
        try await put(to: registry.address)
        #expect(registry.requests.map(\.method) == ["POST", "POST", "POST", "PUT"])
        #expect(content.blob(blob.digest, repository: "app") != nil)
    }

    @Test func `an upload that the registry has forgotten is made again`() async throws {
        let registry = try faulty(
            [.error(404, "BLOB_UPLOAD_UNKNOWN")],
            where: { $0.method == "PUT" },
            then: content.answer
        )
        try await put(to: registry.address)
        #expect(registry.requests.map(\.method) == ["POST", "PUT", "HEAD", "DELETE", "POST", "PUT"])
    }

    @Test func `a session that was given is used once`() async throws {
        let content = RegistryContent(allowsMount: false)
        let registry = try faulty([Answer(503)], where: { $0.method == "PUT" }, then: content.answer)
        let (source, target) = (try registry.repository("other"), try registry.repository())
        try await withClient(clock.configuration()) { client in
            guard case .uploadOpened(let session) = try await client.mountBlob(blob.digest, from: source, to: target)
            else {
                Issue.record("it was mounted")
                return
            }
            try await client.putBlob(blob.descriptor, to: target, from: file.range, session: session) { _ in }
        }
        let paths = registry.requests.map { "\($0.method) \($0.path.split(separator: "/").last ?? "")" }
        #expect(paths == ["POST uploads", "PUT 1", "HEAD \(blob.digest)", "DELETE 1", "POST uploads", "PUT 2"])
    }

    @Test func `an upload that is given up is cancelled, and the error is the upload's`() async throws {
        let registry = try ScriptedRegistry { [content] request in
            switch request.method {
            case "PUT", "PATCH": .error(503, "UNAVAILABLE")
            // That it cannot be cancelled is nobody's concern.
            case "DELETE": .error(405, "UNSUPPORTED")
            default: content.answer(request)
            }
        }
        let error = try await failure { try await put(to: registry.address) }
        #expect(error.status == 503)
        #expect(error.operation == "uploading the blob")
        #expect(error.attempts?.count == 9)
        #expect(registry.count("PUT") == 2)
        #expect(registry.count("PATCH") == 7)
        #expect(registry.count("DELETE") == 9)
        #expect(sent.sum == 0)
    }

    @Test(arguments: [400, 403, 501])
    func `an upload that is refused is not made again`(status: Int) async throws {
        let registry = try ScriptedRegistry { [content] request in
            request.method == "PUT" ? .error(status, "X") : content.answer(request)
        }
        let error = try await failure { try await put(to: registry.address) }
        #expect(error.status == status)
        #expect(registry.requests.map(\.method) == ["POST", "PUT", "DELETE"])
        #expect(clock.waits.isEmpty)
    }

    @Test func `nothing is left in a registry by an upload that broke off`() async throws {
        let real = try await EmbeddedRegistry()
        let proxy = try FaultProxy(to: real.address) { request, count in
            request.method == "PUT" && count <= 2 ? .resetRequest(after: 1 << 20) : nil
        }
        try await put(to: proxy.address)
        #expect(try real.storage.bytes(blob.digest) == (try blob.bytes))
        #expect(real.storage.unfinishedUploads(repository: "app").isEmpty)
        let lines = try await real.finish()
        // The second one goes on where it broke off.
        #expect(lines.count("DELETE") == 1)
    }
}
