import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// What registries say of an upload, truly or not.
@Suite struct UploadStatusTests {
    private static let size = 1 << 20
    private static let byteCount = (3 << 20) + 17

    /// What is said of an upload of which the registry has the first two chunks.
    enum Wrong: CaseIterable, Sendable {
        case beyond, whole, malformed, bytes, missing, none, negative, otherStart, overflow, ok, unavailable, refused

        var fault: FaultProxy.Fault {
            switch self {
            // The third chunk ends before it.
            case .beyond: .altered(answer: [("Range", "0-\(3 << 20)")])
            case .whole: .altered(answer: [("Range", "0-\(byteCount - 1)")])
            case .malformed: .altered(answer: [("Range", "0-abc")])
            case .bytes: .altered(answer: [("Range", "bytes=0-2097151")])
            case .missing: .altered(answer: [("Range", nil)])
            case .none: .altered(answer: [("Range", "0-0")])
            case .negative: .altered(answer: [("Range", "0--5")])
            case .otherStart: .altered(answer: [("Range", "1-2097151")])
            case .overflow: .altered(answer: [("Range", "0-\(Int64.max)")])
            case .ok: .answer(Answer(headers: [("Range", "0-2097151")]))
            case .unavailable: .answer(.error(405, "UNSUPPORTED"))
            case .refused: .answer(.error(403, "DENIED"))
            }
        }
    }

    @Test(arguments: Wrong.allCases)
    func `where no believable place is told, the blob begins again with a new session`(wrong: Wrong) async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch request.method {
            case "PATCH" where count == 3: .status(503)
            case "GET": wrong.fault
            default: nil
            }
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        let all = Chunk.all(of: Self.size, to: Self.byteCount)
        #expect(upload.chunks == all.prefix(3) + all)
        let again = ["GET", "HEAD", "DELETE", "POST"] + all.map { _ in "PATCH" }
        #expect(upload.methods == ["POST", "PATCH", "PATCH", "PATCH"] + again + ["PUT"])
        #expect(upload.clock.waits == [.milliseconds(500)])
    }

    /// Debian's registry takes a chunk wherever it is said to belong; the digest at the end tells.
    @Test(arguments: RegistryKind.allCases)
    func `a place behind the true one does no harm`(kind: RegistryKind) async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: kind) { request, count in
            switch (request.method, count) {
            case ("PATCH", 3): .status(503)
            case ("GET", 1): .altered(answer: [("Range", "0-\((1 << 20) - 1)")])
            default: nil
            }
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        let all = Chunk.all(of: Self.size, to: Self.byteCount)
        let rest = Array(all.dropFirst())
        let last = kind == .embedded ? [all[2], all[3]] : rest + all
        #expect(upload.chunks == all.prefix(3) + (kind == .embedded ? [all[1]] : []) + last)
        let ends = upload.proxy.exchanges.filter { $0.request.method == "PUT" }.map(\.status)
        #expect(ends == (kind == .embedded ? [201] : [400, 201]))
        // The registry says no to bytes, so it is not asked whether it has them.
        #expect(upload.methods.count { $0 == "HEAD" } == 0)
    }

    @Test func `a session that never says how far it is gives way to another`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch (request.method, count) {
            case ("PATCH", 3): .status(503)
            case ("GET", _): .status(500)
            default: nil
            }
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        #expect(upload.methods.count { $0 == "GET" } == 3)
        #expect(upload.methods.count { $0 == "POST" } == 2)
    }

    @Test func `an end that is refused without a reason is tried in another session`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            request.method == "PUT" && count == 1 ? .answer(.error(400, "BLOB_UPLOAD_INVALID")) : nil
        }
        try await upload.put(chunkSize: Int64(Self.size))
        try upload.expectStored()
        #expect(upload.methods.count { $0 == "POST" } == 2)
    }

    @Test func `a session that says no time and again is not gone on with for ever`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch (request.method, count) {
            case ("PATCH", let count) where count % 2 == 0: .status(429)
            case ("GET", _): .lostUpload
            default: nil
            }
        }
        let error = try await failure { try await upload.put(chunkSize: Int64(Self.size), retryLimit: 2) }
        #expect(error.status == 429)
        #expect(error.attempts?.count == 3)
        upload.expectNothingLeft()
    }

    @Test func `a digest that stays wrong is told after one more try, where no chunk broke`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, _ in
            request.method == "PUT" ? .answer(.error(400, "DIGEST_INVALID")) : nil
        }
        let error = try await failure { try await upload.put(chunkSize: Int64(Self.size)) }
        #expect(error.status == 400)
        #expect(error.refusesDigest)
        let all = Chunk.all(of: Self.size, to: Self.byteCount)
        #expect(upload.chunks == all + all)
        #expect(upload.sent.sum == 0)
        upload.expectNothingLeft()
    }

    @Test func `a digest that stays wrong after breaks is told when the retries are used up`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch request.method {
            case "PATCH" where count % 5 == 1: .status(503)
            case "PUT": .answer(.error(400, "DIGEST_INVALID"))
            default: nil
            }
        }
        let error = try await failure { try await upload.put(chunkSize: Int64(Self.size), retryLimit: 6) }
        #expect(error.refusesDigest)
        #expect(error.attempts.map { $0.count > 2 } == true)
        upload.expectNothingLeft()
        #expect(!upload.registry.storage.hasBlob(upload.blob.digest))
    }

    @Test(arguments: RegistryKind.allCases)
    func `a blob whose last answer was lost is not sent again`(kind: RegistryKind) async throws {
        for chunkSize in [nil, Int64(Self.size)] {
            let upload = try await ProxiedUpload(Self.byteCount, to: kind) { request, _ in
                request.method == "PUT" ? .transfer(.resetBeforeHead) : nil
            }
            try await upload.put(chunkSize: chunkSize)
            try upload.expectStored()
            let count = upload.proxy.exchanges.reduce(0) { $0 + $1.requestByteCount }
            #expect(count == Self.byteCount)
            let last = chunkSize == nil ? ["PUT", "HEAD", "DELETE"] : ["PUT", "GET", "HEAD", "DELETE"]
            #expect(Array(upload.methods.suffix(last.count)) == last)
        }
    }

    @Test func `the question whether the blob is there may fail as well`() async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch (request.method, count) {
            case ("PUT", 1): .transfer(.resetBeforeHead)
            case ("HEAD", 1): .answer(Answer(transfer: .resetBeforeHead))
            case ("HEAD", 2): .status(503)
            default: nil
            }
        }
        try await upload.put()
        try upload.expectStored()
        #expect(upload.methods == ["POST", "PUT", "HEAD", "HEAD", "HEAD", "DELETE"])
    }

    @Test(arguments: [403, 404, 405])
    func `where that is not answered, the blob is sent again`(status: Int) async throws {
        let upload = try await ProxiedUpload(Self.byteCount, to: .embedded) { request, count in
            switch (request.method, count) {
            case ("PUT", 1): .transfer(.resetBeforeHead)
            case ("HEAD", 1): .status(status)
            default: nil
            }
        }
        try await upload.put()
        try upload.expectStored()
        #expect(upload.methods == ["POST", "PUT", "HEAD", "DELETE", "POST", "PUT"])
    }

    @Test func `each answer may send the next chunk to another URL`() async throws {
        let blob = try TestBlob.random(Self.byteCount)
        let file = try OpenBlob(blob)
        let registry = try await EmbeddedRegistry()
        let turns = Turns()
        let other = try FaultProxy(to: registry.address)
        let proxy = try FaultProxy(to: registry.address) { request, _ in
            guard request.method == "PATCH" else { return nil }
            let target = "http://\(other.address)\(request.path)?turn=\(turns.next())&state=a%2Fb"
            return .altered(answer: [("Location", target)])
        }
        let repository = try Repository(registry: proxy.address, path: "app")
        var configuration = signedIn()
        configuration.chunkSize = Int64(Self.size)
        try await withClient(configuration) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(registry.storage.hasBlob(blob.digest, repository: "app"))
        #expect(proxy.exchanges.map(\.request.method) == ["POST", "PATCH"])
        let next = try #require(other.exchanges.first?.request)
        #expect(next.target.hasSuffix("?turn=1&state=a%2Fb"))
        #expect(other.exchanges.map(\.request.method) == ["PATCH", "PATCH", "PATCH", "PUT"])
        #expect(other.exchanges.allSatisfy { $0.request.header("Authorization") == nil })
    }
}
