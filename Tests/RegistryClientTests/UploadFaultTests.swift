import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct UploadFaultTests {
    private let blob: TestBlob
    private let file: OpenBlob

    init() throws {
        // More than fits into the buffers of two sockets: it cannot all be under way when the answer comes.
        blob = try TestBlob.random(24 << 20)
        file = try OpenBlob(blob)
    }

    private func refusal(
        _ refusal: RefusingUploads.Refusal,
        _ configuration: RegistryClient.Configuration = RegistryClient.Configuration.withoutRetries
    ) async throws -> RegistryError {
        let registry = try RefusingUploads(refusal)
        let repository = try Repository(registry: registry.address, path: "app")
        return try await withClient(configuration) { client in
            let error = try await failure {
                try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            }
            #expect(error.operation == "uploading the blob")
            #expect(error.subject == "\(repository)@\(blob.digest)")
            #expect(error.request == "PUT http://\(registry.address)/upload")
            #expect(error.description.contains("\(repository)@\(blob.digest)"))
            // The client lives on.
            let isThere = try await client.hasBlob(blob.descriptor, in: repository)
            #expect(!isThere)
            return error
        }
    }

    /// A server that reads on, so that its answer is sure to arrive.
    @Test(arguments: [
        (501, 0, RegistryError.Code.unexpectedStatus), (400, 1 << 20, .unexpectedStatus),
        (500, 1 << 20, .unexpectedStatus), (403, 0, .denied), (401, 0, .unauthorized),
    ])
    func `a refusal in the middle of the body is told`(status: Int, count: Int, code: RegistryError.Code) async throws {
        let error = try await refusal(.answerAndRead(status, afterBytes: count))
        #expect(error.code == code)
        #expect(error.status == status)
        #expect(error.registryMessages == ["X"])
    }

    /// A server that closes with bytes unread resets the connection, which may overtake its own answer.
    @Test(arguments: [(400, 0), (500, 1 << 20)])
    func `a refusal that is not waited out is told, or the connection is lost`(status: Int, count: Int) async throws {
        let error = try await refusal(.answer(status, afterBytes: count))
        switch error.code {
        case .connectionLost: #expect(error.status == nil)
        default:
            #expect(error.code == .unexpectedStatus)
            #expect(error.status == status)
        }
    }

    /// Nothing moves after it, neither here nor there: only the answer's head tells of it.
    @Test(arguments: [
        Answer(501), Answer(501).with("Connection", "close"), .error(501, "X").sent(.stalled(after: 3)),
    ])
    func `a refusal in the middle of the blob, with no body or not all of it, is told`(answer: Answer) async throws {
        let registry = try await EmbeddedRegistry()
        let proxy = try FaultProxy(to: registry.address) { request, _ in
            request.method == "PUT" ? .earlyAnswer(answer) : nil
        }
        let repository = try Repository(registry: proxy.address, path: "app")
        let error = try await clientFailure {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(error.code == .unexpectedStatus)
        #expect(error.status == 501)
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test(arguments: [
        RefusingUploads.Refusal.reset(afterBytes: 0), .reset(afterBytes: 1 << 20), .close(afterBytes: 0),
        .close(afterBytes: 1 << 20), .close(afterBytes: 24 << 20),
    ])
    func `a connection that ends in the middle of the body is lost`(how: RefusingUploads.Refusal) async throws {
        #expect(try await refusal(how).code == .connectionLost)
    }

    @Test func `a server that reads no more is a time-out`() async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.idleTimeout = .seconds(2)
        #expect(try await refusal(.stall(afterBytes: 1 << 20), configuration).code == .timeout)
    }

    @Test func `a server that never answers is a time-out`() async throws {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.storeTimeout = .seconds(2)
        #expect(try await refusal(.stall(afterBytes: 24 << 20), configuration).code == .timeout)
    }

    @Test func `a digest that the registry does not find is told`() async throws {
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        let other = try TestBlob.random(24 << 20, seed: 8)
        let error = try await clientFailure {
            try await $0.putBlob(other.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(error.code == .unexpectedStatus)
        #expect(error.status == 400)
        #expect(error.subject == "\(repository)@\(other.digest)")
        let message = "DIGEST_INVALID: what was sent as \(other.digest) is \(blob.digest)"
        #expect(error.registryMessages == [message])
        #expect(try registry.storage.blobs() == [])
    }

    @Test(arguments: [0, 1, 1 << 20] as [Int64])
    func `a file that ends too early is told with the place`(missing: Int64) async throws {
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        // 13 bytes follow the blob in its file.
        let range = FileRange(
            descriptor: file.range.descriptor,
            offset: file.range.offset,
            byteCount: file.range.byteCount + 13 + missing
        )
        let error = try await clientFailure {
            try await $0.putBlob(blob.descriptor, to: repository, from: range) { _ in }
        }
        #expect(error.subject == "\(repository)@\(blob.digest)")
        #expect(error.description.contains(missing == 0 ? "DIGEST_INVALID" : "ends"), "\(error)")
        #expect(try registry.storage.blobs() == [])
    }

    @Test func `an upload that is cancelled ends`() async throws {
        let registry = try RefusingUploads(.stall(afterBytes: 1 << 20))
        let repository = try Repository(registry: registry.address, path: "app")
        let (pieces, piece) = AsyncStream.makeStream(of: Void.self)
        try await withClient { client in
            let upload = Task {
                try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in piece.yield() }
            }
            _ = await pieces.first { _ in true }
            upload.cancel()
            await #expect(throws: CancellationError.self) { try await upload.value }
        }
    }
}
