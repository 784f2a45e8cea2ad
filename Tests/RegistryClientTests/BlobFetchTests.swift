import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct BlobFetchTests {
    /// Sizes about those of buffers, and nothing at all.
    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 1 << 20, (5 << 20) + 3])
    func `the bytes of a blob reach the sink once and in order`(byteCount: Int) async throws {
        let blob = try TestBlob.random(byteCount)
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(blob, repository: "app")
        let repository = try registry.repository()
        let received = Received()
        try await withClient { client in
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
            #expect(client.requestCount == 1)
        }
        #expect(received.bytes == (try blob.bytes))
        #expect(received.isInOrder)
        let requests = try await registry.finish()
        #expect(requests.map(\.line) == ["GET /v2/app/blobs/\(blob.digest)"])
        #expect(requests.map(\.byteCount) == [Int64(byteCount)])
    }

    @Test(arguments: [Answer.Transfer.whole, .chunked, .untilClose], Digest.Algorithm.allCases)
    func `a blob is whole however it is sent`(transfer: Answer.Transfer, algorithm: Digest.Algorithm) async throws {
        let blob = try TestBlob.random(300_000, algorithm: algorithm)
        let bytes = try blob.bytes
        let registry = try ScriptedRegistry { _ in Answer(body: bytes, transfer: transfer) }
        let repository = try registry.repository()
        let received = Received()
        try await withClient { try await $0.fetchBlob(blob.descriptor, from: repository, into: received.take) }
        #expect(received.bytes == bytes)
        #expect(received.isInOrder)
    }

    @Test func `a blob is there or not`() async throws {
        let (here, elsewhere) = (try TestBlob.random(10), try TestBlob.random(10, seed: 2))
        let registry = try await EmbeddedRegistry()
        try registry.storage.add(here, repository: "app")
        let repository = try registry.repository()
        try await withClient { client in
            let first = try await client.hasBlob(here.descriptor, in: repository)
            let second = try await client.hasBlob(elsewhere.descriptor, in: repository)
            #expect(first && !second)
        }
        let lines = try await registry.finish().map(\.description).sorted()
        let expected = [(here, 200), (elsewhere, 404)].map { "HEAD /v2/app/blobs/\($0.digest) \($1)" }
        #expect(lines == expected.sorted())
    }

    @Test func `that a blob is there is not guessed from an error`() async throws {
        let registry = try ScriptedRegistry { _ in .error(500, "UNKNOWN") }
        let repository = try registry.repository()
        let blob = try TestBlob.random(10)
        let error = try await clientFailure { try await $0.hasBlob(blob.descriptor, in: repository) }
        #expect(error.code == .unexpectedStatus)
        #expect(error.status == 500)
        #expect(error.operation == "looking up the blob")
        #expect(error.subject == "\(repository)@\(blob.digest)")
    }

    @Test func `many blobs at once keep their bytes apart`() async throws {
        let registry = try await EmbeddedRegistry()
        let blobs = try (0..<40).map { try TestBlob.random(10_000 + $0, seed: UInt64($0)) }
        for blob in blobs { try registry.storage.add(blob, repository: "app") }
        let repository = try registry.repository()
        try await withClient { client in
            try await withThrowingTaskGroup { group in
                for blob in blobs {
                    group.addTask {
                        let received = Received()
                        try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
                        #expect(received.bytes == (try blob.bytes))
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(try await registry.finish().count("GET") == 40)
    }
}
