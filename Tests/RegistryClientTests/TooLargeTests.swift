import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Proxies before a registry that take no large body.
@Suite struct TooLargeTests {
    /// How a proxy refuses what is larger than its limit.
    enum Refusal: CaseIterable, Sendable {
        /// At once, and the connection ends.
        case early
        /// The same, without a body.
        case bare
        /// After it has read all.
        case late

        var fault: FaultProxy.Fault {
            switch self {
            case .early: .tooLarge
            case .bare: .earlyAnswer(Answer(413).with("Connection", "close"))
            case .late: .status(413)
            }
        }

        func script(limit: Int) -> FaultProxy.Script {
            { request, _ in ["PUT", "PATCH"].contains(request.method) && request.contentLength > limit ? fault : nil }
        }
    }

    @Test(arguments: RegistryKind.allCases, Refusal.allCases)
    func `what is too large goes in smaller chunks at once`(kind: RegistryKind, refusal: Refusal) async throws {
        let byteCount = 20 << 20
        let upload = try await ProxiedUpload(byteCount, to: kind, script: refusal.script(limit: 3 << 20))
        try await upload.put()
        try upload.expectStored()
        let refused = [10, 5].map { Chunk(0, $0 << 20) }
        #expect(upload.chunks == refused + Chunk.all(of: 5 << 19, to: byteCount))
        // Nothing else is asked, and nobody waits.
        let methods = upload.methods.filter { $0 != "PATCH" }
        #expect(methods == ["POST", "PUT", "PUT"])
        #expect(upload.clock.waits.isEmpty)
        #expect(upload.clock.retries.isEmpty)
    }

    @Test func `the first chunks have at most 16 MiB, or the chosen size`() async throws {
        for (chunkSize, first) in [(nil, 16 << 20), (3 << 20, 3 << 20), (50 << 20, 20 << 20)] as [(Int64?, Int)] {
            let upload = try await ProxiedUpload(40 << 20, to: .embedded, script: Refusal.early.script(limit: 32 << 20))
            try await upload.put(chunkSize: chunkSize)
            try upload.expectStored()
            #expect(upload.chunks == Chunk.all(of: first, to: 40 << 20))
        }
    }

    @Test func `a chunk in the middle that is too large goes on in smaller ones`() async throws {
        let upload = try await ProxiedUpload(7 << 20, to: .embedded) { request, count in
            request.method == "PATCH" && count == 2 ? .tooLarge : nil
        }
        try await upload.put(chunkSize: 2 << 20)
        try upload.expectStored()
        let first = [Chunk(0, 2 << 20), Chunk(2 << 20, 2 << 20)]
        #expect(upload.chunks == first + Chunk.all(of: 1 << 20, from: 2 << 20, to: 7 << 20))
        #expect(upload.methods.filter { $0 != "PATCH" } == ["POST", "PUT"])
    }

    @Test func `the size that was taken is remembered for the next blob`() async throws {
        let blobs = try [20 << 20, 9 << 20, 2 << 20].enumerated().map { try TestBlob.random($1, seed: UInt64($0)) }
        let file = try OpenBlob(blobs)
        let registry = try await EmbeddedRegistry()
        let proxy = try FaultProxy(to: registry.address, script: Refusal.early.script(limit: 3 << 20))
        let repository = try Repository(registry: proxy.address, path: "app")
        try await withClient { client in
            for (blob, range) in zip(blobs, file.ranges) {
                try await client.putBlob(blob.descriptor, to: repository, from: range) { _ in }
            }
        }
        for blob in blobs { #expect(try registry.storage.bytes(blob.digest) == blob.bytes) }
        let refused = proxy.exchanges.filter { $0.status == 413 }.map(\.request.contentLength)
        #expect(refused == [20 << 20, 10 << 20, 5 << 20])
        // A small blob goes whole.
        let last = proxy.exchanges.suffix(2).map { "\($0.request.method) \($0.request.contentLength)" }
        #expect(last == ["POST 0", "PUT \(2 << 20)"])
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test func `many blobs learn together`() async throws {
        let blobs = try (0..<12).map { try TestBlob.random((4 << 20) + $0, seed: UInt64($0)) }
        let file = try OpenBlob(blobs)
        let registry = try await EmbeddedRegistry()
        let proxy = try FaultProxy(to: registry.address, script: Refusal.early.script(limit: 1 << 20))
        let repository = try Repository(registry: proxy.address, path: "app")
        try await withClient { client in
            try await withThrowingTaskGroup { group in
                for (blob, range) in zip(blobs, file.ranges) {
                    group.addTask { try await client.putBlob(blob.descriptor, to: repository, from: range) { _ in } }
                }
                try await group.waitForAll()
            }
            // The next one does not try it in another way first.
            let refusals = proxy.exchanges.count { $0.status == 413 }
            let next = try TestBlob.random(4 << 20, seed: 99)
            let range = try OpenBlob(next)
            try await client.putBlob(next.descriptor, to: repository, from: range.range) { _ in }
            #expect(refusals > 0 && proxy.exchanges.count { $0.status == 413 } == refusals)
        }
        for blob in blobs { #expect(try registry.storage.bytes(blob.digest) == blob.bytes) }
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test(arguments: Refusal.allCases)
    func `where even 1 MiB is too large, that is told with what to do`(refusal: Refusal) async throws {
        let upload = try await ProxiedUpload(5 << 20, to: .embedded, script: refusal.script(limit: 1 << 19))
        let error = try await failure { try await upload.put() }
        #expect(upload.chunks.map(\.byteCount) == [5 << 19, 5 << 18, 1 << 20])
        #expect(error.status == 413)
        #expect(error.description.contains("a body of 1048576 bytes is too large"), "\(error)")
        #expect(error.description.contains("the proxy before the registry has to allow larger ones"), "\(error)")
        #expect(error.description.contains(upload.blob.digest.description))
        #expect(error.request?.hasPrefix("PATCH http://\(upload.proxy.address)/v2/app/blobs/uploads/") == true)
        #expect(upload.clock.waits.isEmpty)
        #expect(upload.methods.last == "DELETE")
        #expect(upload.sent.sum == 0)
        upload.expectNothingLeft()
    }

    @Test func `a small blob that is too large is told at once`() async throws {
        let upload = try await ProxiedUpload(1 << 20, to: .embedded, script: Refusal.early.script(limit: 1000))
        let error = try await failure { try await upload.put() }
        #expect(error.status == 413)
        #expect(error.description.contains("a body of 1048576 bytes is too large"))
        #expect(upload.methods == ["POST", "PUT", "DELETE"])
    }

    @Test(arguments: RegistryKind.allCases)
    func `a proxy that refuses without an answer is found out`(kind: RegistryKind) async throws {
        let upload = try await ProxiedUpload(8 << 20, to: kind) { request, _ in
            request.contentLength > 3 << 20 ? .answer(Answer(transfer: .resetBeforeHead)) : nil
        }
        try await upload.put()
        try upload.expectStored()
        let sizes = upload.chunks.map(\.byteCount)
        #expect(sizes == [4, 4, 2, 2, 2, 2].map { $0 << 20 })
    }

    @Test func `no chunk but the last is smaller than the registry says`() async throws {
        func script(_ minimum: String, limit: Int) -> FaultProxy.Script {
            { request, _ in
                if request.method == "POST" { return .altered(answer: [("OCI-Chunk-Min-Length", minimum)]) }
                return Refusal.early.script(limit: limit)(request, 1)
            }
        }
        let byteCount = (7 << 20) + 5
        let upload = try await ProxiedUpload(byteCount, to: .embedded, script: script("\(3 << 20)", limit: .max))
        try await upload.put(chunkSize: 1 << 20)
        try upload.expectStored()
        #expect(upload.chunks == Chunk.all(of: 3 << 20, to: byteCount))

        let limited = try await ProxiedUpload(byteCount, to: .embedded, script: script("\(3 << 20)", limit: 4 << 20))
        try await limited.put()
        try limited.expectStored()
        #expect(limited.chunks == Chunk.all(of: byteCount / 2, to: byteCount))

        let refused = try await ProxiedUpload(byteCount, to: .embedded, script: script("\(3 << 20)", limit: 2 << 20))
        let error = try await failure { try await refused.put() }
        #expect(error.description.contains("the registry wants chunks of \(3 << 20) bytes"), "\(error)")

        for nonsense in ["", "-5", "x", "\(Int64.max)"] {
            let upload = try await ProxiedUpload(byteCount, to: .embedded, script: script(nonsense, limit: .max))
            try await upload.put(chunkSize: 1 << 20)
            try upload.expectStored()
        }
    }
}
