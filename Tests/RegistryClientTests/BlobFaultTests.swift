import OCI
import RegistryClient
import TestSupport
import Testing

/// A registry that serves wrong bytes, too few, too many, or a wrong size.
@Suite struct BlobFaultTests {
    private let blob: TestBlob
    private let bytes: [UInt8]
    private let received = Received()

    init() throws {
        blob = try TestBlob.random(200_000)
        bytes = try blob.bytes
    }

    private func refusal(
        _ answer: Answer,
        of descriptor: Descriptor? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RegistryError {
        let registry = try ScriptedRegistry { _ in answer }
        let repository = try registry.repository()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.idleTimeout = .seconds(2)
        let error = try await clientFailure(configuration, sourceLocation: sourceLocation) {
            try await $0.fetchBlob(descriptor ?? blob.descriptor, from: repository, into: received.take)
        }
        #expect(error.operation == "fetching the blob", sourceLocation: sourceLocation)
        #expect(error.subject == "\(repository)@\(blob.digest)", sourceLocation: sourceLocation)
        #expect(error.description.contains("\(repository)@\(blob.digest)"), sourceLocation: sourceLocation)
        return error
    }

    private func descriptor(size: Int64) -> Descriptor {
        Descriptor(mediaType: blob.descriptor.mediaType, digest: blob.digest, size: size)
    }

    @Test func `an honest length that is too small is refused before the body`() async throws {
        let error = try await refusal(Answer(body: Array(bytes.dropLast())))
        #expect(error.code == .sizeMismatch(expected: 200_000, actual: 199_999))
        #expect(error.description.contains("200000 bytes were expected, 199999 came"))
        #expect(received.bytes.isEmpty)
    }

    @Test(arguments: [199_999, 200_001] as [Int64])
    func `a length that is not the descriptor's is refused before the body`(size: Int64) async throws {
        let error = try await refusal(Answer(body: bytes), of: descriptor(size: size))
        #expect(error.code == .sizeMismatch(expected: size, actual: 200_000))
        #expect(received.bytes.isEmpty)
    }

    @Test(arguments: [Answer.Transfer.chunked, .untilClose])
    func `too few bytes without a length are refused at the end`(transfer: Answer.Transfer) async throws {
        let error = try await refusal(Answer(body: Array(bytes.dropLast(7)), transfer: transfer))
        #expect(error.code == .sizeMismatch(expected: 200_000, actual: 199_993))
    }

    /// Never more than the descriptor says reaches the sink, and what comes beyond is not read.
    @Test(arguments: [Answer.Transfer.chunked, .untilClose])
    func `too many bytes without a length are refused as they come`(transfer: Answer.Transfer) async throws {
        let error = try await refusal(Answer(body: bytes + bytes, transfer: transfer))
        guard case .sizeMismatch(expected: 200_000, let actual) = error.code else {
            Issue.record("\(error.code)")
            return
        }
        #expect(actual > 200_000)
        #expect(received.bytes.count <= 200_000)
    }

    @Test func `no bytes where some were due are refused`() async throws {
        #expect(try await refusal(Answer()).code == .sizeMismatch(expected: 200_000, actual: 0))
        #expect(try await refusal(Answer(transfer: .chunked)).code == .sizeMismatch(expected: 200_000, actual: 0))
    }

    @Test func `some bytes where none were due are refused`() async throws {
        let error = try await refusal(Answer(body: [1], transfer: .chunked), of: descriptor(size: 0))
        #expect(error.code == .sizeMismatch(expected: 0, actual: 1))
        #expect(received.bytes.isEmpty)
    }

    @Test(arguments: [0, 100_000, 199_999])
    func `a flipped bit is found`(position: Int) async throws {
        var wrong = bytes
        wrong[position] ^= 1
        let error = try await refusal(Answer(body: wrong))
        let actual = try Digest.of(wrong)
        #expect(error.code == .digestMismatch(expected: blob.digest, actual: actual))
        #expect(error.description.contains("the digest must be \(blob.digest), but is \(actual)"))
    }

    @Test func `a flipped bit is found under sha512`() async throws {
        let blob = try TestBlob.random(1000, algorithm: .sha512)
        let wrong = try Array(blob.bytes.reversed())
        let registry = try ScriptedRegistry { _ in Answer(body: wrong) }
        let repository = try registry.repository()
        let error = try await clientFailure {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        let actual = try Digest.of(wrong, algorithm: .sha512)
        #expect(error.code == .digestMismatch(expected: blob.digest, actual: actual))
    }

    /// How a connection ends, with what is told of it.
    @Test(arguments: [
        (Answer.Transfer.truncated(after: 100_000), RegistryError.Code.connectionLost),
        (.truncated(after: 0), .connectionLost),
        (.reset(after: 100_000), .connectionLost),
        (.closedBeforeHead, .connectionLost),
        (.resetBeforeHead, .connectionLost),
        (.stalled(after: 100_000), .timeout),
        (.stalled(after: 0), .timeout),
        (.stalledBeforeHead, .timeout),
    ])
    func `a connection that ends or stalls is told`(transfer: Answer.Transfer, code: RegistryError.Code) async throws {
        let error = try await refusal(Answer(body: bytes, transfer: transfer))
        #expect(error.code == code)
        #expect(error.request?.hasPrefix("GET http://127.0.0.1:") == true)
        #expect(bytes.starts(with: received.bytes))
    }

    @Test(arguments: [
        "HTTP/1.1 nonsense\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    ])
    func `what is no HTTP is told`(text: String) async throws {
        let error = try await refusal(.raw(Array(text.utf8)))
        #expect(error.code == .connectionLost)
    }

    struct DiskFull: Error, Equatable { let path = "/x" }

    @Test func `an error of the sink comes out as it is`() async throws {
        let registry = try ScriptedRegistry { [bytes] _ in Answer(body: bytes) }
        let repository = try registry.repository()
        await #expect(throws: DiskFull()) {
            try await withClient { client in
                try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in throw DiskFull() }
            }
        }
    }

    @Test(arguments: [
        Answer.Transfer.truncated(after: 9), .reset(after: 9), .closedBeforeHead, .chunked,
    ])
    func `the client goes on after any of them`(fault: Answer.Transfer) async throws {
        let content = RegistryContent()
        try content.add(blob, repository: "good")
        let registry = try ScriptedRegistry { [bytes] request in
            request.path.contains("/bad/") ? Answer(body: bytes + [0], transfer: fault) : content.answer(request)
        }
        let (good, bad) = (try registry.repository("good"), try registry.repository("bad"))
        try await withClient { client in
            for _ in 0..<3 {
                _ = try await failure { try await client.fetchBlob(blob.descriptor, from: bad) { _, _ in } }
                let received = Received()
                try await client.fetchBlob(blob.descriptor, from: good, into: received.take)
                #expect(received.bytes == bytes)
            }
        }
    }
}
