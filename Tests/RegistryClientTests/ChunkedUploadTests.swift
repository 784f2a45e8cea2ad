import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Blobs that go in chunks, into our own registry and Debian's, which tells less of its sessions than it should.
@Suite struct ChunkedUploadTests {
    private static let size = 1 << 20

    @Test(arguments: RegistryKind.allCases, [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20, (3 << 20) + 17])
    func `a blob that is larger than the chosen size goes in chunks from the beginning`(
        kind: RegistryKind,
        byteCount: Int
    ) async throws {
        let upload = try await ProxiedUpload(byteCount, to: kind)
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        let chunks = byteCount > Self.size ? Chunk.all(of: Self.size, to: byteCount) : []
        #expect(upload.chunks == chunks)
        #expect(upload.methods == ["POST"] + chunks.map { _ in "PATCH" } + ["PUT"])
        let end = try #require(upload.proxy.exchanges.last)
        #expect(end.request.header("Content-Length") == (chunks.isEmpty ? "\(byteCount)" : "0"))
        #expect(end.request.header("Content-Range") == nil)
        #expect(end.request.query["digest"] == "\(upload.blob.digest)")
        #expect(upload.clock.waits.isEmpty)
    }

    @Test(arguments: RegistryKind.allCases)
    func `the third attempt goes in chunks, from where the registry says that the second broke off`(
        kind: RegistryKind
    ) async throws {
        let byteCount = (24 << 20) + 17
        let upload = try await ProxiedUpload(byteCount, to: kind) { request, _ in
            request.method == "PUT" && request.contentLength > 0 ? .resetRequest(after: 5 << 20) : nil
        }
        try await upload.put()
        try upload.expectStored()
        #expect(upload.methods.filter { $0 == "PUT" }.count == 3)
        let first = try #require(upload.takenChunks.first)
        // Debian's has forgotten it; ours has what arrived before the reset, and may take in the last of it meanwhile.
        #expect(kind == .docker ? first.start == 0 : (1...5 << 20).contains(first.start), "\(first)")
        let count = upload.methods.count { $0 == "POST" }
        #expect(count == (kind == .docker ? 3 : 2))
        // Half of the blob is less than the usual size.
        #expect(upload.takenChunks == Chunk.all(of: byteCount / 2, from: first.start, to: byteCount))
        #expect(Array(upload.clock.waits.prefix(2)) == [.milliseconds(500), .seconds(1)])
    }

    @Test func `chunks are of 16 MiB where nothing else is said`() async throws {
        let byteCount = 40 << 20
        let upload = try await ProxiedUpload(byteCount, to: .embedded) { request, count in
            request.method == "PUT" && count <= 2 ? .earlyAnswer(.error(503, "UNAVAILABLE")) : nil
        }
        try await upload.put()
        try upload.expectStored()
        #expect(upload.chunks == Chunk.all(of: 16 << 20, to: byteCount))
    }

    @Test(arguments: RegistryKind.allCases)
    func `a chunk that breaks off is continued where it broke, or all begins again`(kind: RegistryKind) async throws {
        let byteCount = (4 << 20) + 17
        let upload = try await ProxiedUpload(byteCount, to: kind) { request, count in
            request.method == "PATCH" && count == 3 ? .resetRequest(after: 300_000) : nil
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        #expect(Array(upload.chunks.prefix(3)) == Chunk.all(of: Self.size, to: 3 << 20))
        let next = upload.takenChunks[2]
        switch kind {
        case .embedded:
            #expect((2 << 20...(2 << 20) + 300_000).contains(next.start), "\(next)")
            #expect(Array(upload.methods.prefix(6)) == ["POST", "PATCH", "PATCH", "PATCH", "GET", "PATCH"])
            #expect(upload.methods.count { $0 == "POST" } == 1)
        case .docker:
            #expect(next.start == 0)
            let again = ["GET", "HEAD", "DELETE", "POST", "PATCH"]
            #expect(Array(upload.methods.prefix(9)) == ["POST", "PATCH", "PATCH", "PATCH"] + again)
        }
        #expect(Array(upload.takenChunks.dropFirst(2)) == Chunk.all(of: Self.size, from: next.start, to: byteCount))
    }

    /// The registry has the chunk and says so: not one byte moves twice.
    @Test(arguments: [Answer.Transfer.resetBeforeHead, .closedBeforeHead])
    func `a chunk whose answer is lost is not sent again`(transfer: Answer.Transfer) async throws {
        let byteCount = (3 << 20) + 17
        let upload = try await ProxiedUpload(byteCount, to: .embedded) { request, count in
            request.method == "PATCH" && count == 2 ? .transfer(transfer) : nil
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        #expect(upload.chunks == Chunk.all(of: Self.size, to: byteCount))
        #expect(upload.proxy.exchanges.reduce(0) { $0 + $1.requestByteCount } == byteCount)
        #expect(upload.methods == ["POST", "PATCH", "PATCH", "GET", "PATCH", "PATCH", "PUT"])
    }

    @Test(arguments: RegistryKind.allCases)
    func `chunks that are answered by 500 or whose session is lost get through`(kind: RegistryKind) async throws {
        let byteCount = (3 << 20) + 17
        let upload = try await ProxiedUpload(byteCount, to: kind) { request, count in
            switch (request.method, count) {
            case ("PATCH", 2): .status(500)
            case ("PATCH", 4): .lostUpload
            case ("GET", 2): .lostUpload
            case ("PUT", 1): .status(502)
            default: nil
            }
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        let all = Chunk.all(of: Self.size, to: byteCount)
        // The first failure is one of the proxy alone: the registry goes on where it was.
        #expect(upload.chunks == [all[0], all[1], all[1], all[2]] + all)
        #expect(upload.methods.count { $0 == "POST" } == 2)
        #expect(upload.methods.count { $0 == "PUT" } == 2)
        #expect(upload.methods.count { $0 == "DELETE" } == 1)
    }

    @Test func `as long as chunks arrive, failures do not add up`() async throws {
        let byteCount = 3 << 20
        let upload = try await ProxiedUpload(byteCount, to: .embedded) { request, _ in
            request.method == "PATCH" ? .resetRequest(after: 200_000) : nil
        }
        try await upload.put(chunkSize: 2 << 20, retryLimit: 2)
        try upload.expectStored()
        #expect(upload.chunks.count > 10)
        #expect(Set(upload.clock.waits).isSubset(of: [.milliseconds(500), .seconds(1)]))
    }

    @Test func `an upload in chunks that never gets through is told, and cancelled`() async throws {
        let upload = try await ProxiedUpload(4 << 20, to: .embedded) { request, _ in
            request.method == "PATCH" ? .answer(Answer(transfer: .resetBeforeHead)) : nil
        }
        let error = try await failure { try await upload.put(chunkSize: 2 << 20, retryLimit: 5) }
        #expect(error.code == .connectionLost)
        #expect(error.operation == "uploading the blob")
        #expect(error.attempts?.count == 6)
        #expect(upload.sent.sum == 0)
        upload.expectNothingLeft()
        // A proxy may refuse without an answer, so each second break makes the chunks smaller.
        #expect(upload.chunks.map(\.byteCount) == [2, 2, 1, 1, 1, 1].map { $0 << 20 })
    }
}

/// What chunks have in common with every other request.
@Suite struct ChunkRequestTests {
    private let blob: TestBlob
    private let file: OpenBlob

    init() throws {
        blob = try TestBlob.random(3 << 20)
        file = try OpenBlob(blob)
    }

    private func put(
        to registry: String,
        _ configuration: RegistryClient.Configuration = signedIn(),
        sent: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws {
        var configuration = configuration
        configuration.chunkSize = 1 << 20
        let repository = try Repository(registry: registry, path: "app")
        try await withClient(configuration) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range, sent: sent)
        }
    }

    @Test func `a token that runs out between two chunks is replaced, and that chunk alone sent again`() async throws {
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry { request in
            let answer = issuer.guarding { request in
                switch request.method {
                case "PUT": Answer(201)
                default: Answer(202).with("Location", "/v2/app/blobs/uploads/1")
                }
            }(request)
            if request.method == "PATCH", answer.status == 202 { issuer.revokeAll() }
            return answer
        }
        let sent = Sent()
        try await put(to: registry.address, RegistryClient.Configuration.withoutRetries, sent: sent.add)
        let once = ["PATCH", "GET", "PATCH"]
        #expect(
            registry.requests.map(\.method) == ["POST", "GET", "POST", "PATCH"] + once + once + ["PUT", "GET", "PUT"]
        )
        let taken = registry.requests.filter { $0.method == "PATCH" }.enumerated().filter {
            [0, 2, 4].contains($0.offset)
        }
        #expect(taken.flatMap(\.element.body) == (try blob.bytes))
        #expect(issuer.issued.allSatisfy { $0.scopes == ["repository:app:pull,push"] })
        // The bytes that a registry turned away count once.
        #expect(sent.sum == blob.descriptor.size)
        #expect(sent.extremes.most == blob.descriptor.size)
    }

    @Test func `a chunk that is cancelled ends the upload`() async throws {
        let registry = try await EmbeddedRegistry()
        let (pieces, piece) = AsyncStream.makeStream(of: Void.self)
        let proxy = try FaultProxy(to: registry.address) { request, count in
            guard request.method == "PATCH", count == 2 else { return nil }
            piece.yield()
            return .stalledRequest(after: 1000)
        }
        let upload = Task { try await put(to: proxy.address) }
        _ = await pieces.first { _ in true }
        upload.cancel()
        await #expect(throws: CancellationError.self) { try await upload.value }
        #expect(!registry.storage.hasBlob(blob.digest))
        // There is a moment for that, although the task is over.
        #expect(proxy.exchanges.last?.request.method == "DELETE")
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test(arguments: [401, 403, 405, 501])
    func `a chunk that is refused is not sent again`(status: Int) async throws {
        let registry = try ScriptedRegistry { request in
            switch request.method {
            case "POST": Answer(202).with("Location", "/v2/app/blobs/uploads/1")
            case "PATCH": .error(status, "X")
            default: Answer(204)
            }
        }
        let error = try await failure { try await put(to: registry.address) }
        #expect(error.status == status)
        #expect(error.request == "PATCH http://\(registry.address)/v2/app/blobs/uploads/1")
        #expect(registry.requests.map(\.method) == ["POST", "PATCH", "DELETE"])
    }
}
