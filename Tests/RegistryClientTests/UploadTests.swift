import OCI
import RegistryClient
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

@Suite struct UploadTests {
    /// Sizes about those of the pieces in which a file is sent, and nothing at all.
    @Test(arguments: [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 17])
    func `a blob is uploaded by one POST and one PUT, from the middle of a file`(byteCount: Int) async throws {
        let blob = try TestBlob.random(byteCount)
        let file = try OpenBlob(blob)
        let content = RegistryContent()
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        let sent = Mutex<Int64>(0)
        try await withClient { client in
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { count in
                sent.withLock { $0 += count }
            }
        }
        #expect(content.blob(blob.digest, repository: "app") == (try blob.bytes))
        #expect(sent.withLock { $0 } == Int64(byteCount))
        #expect(registry.requests.map(\.method) == ["POST", "PUT"])
        let (post, put) = (registry.requests[0], registry.requests[1])
        #expect(post.target == "/v2/app/blobs/uploads/")
        #expect(post.header("Content-Length") == "0")
        #expect(put.header("Content-Length") == "\(byteCount)")
        #expect(put.header("Content-Type") == "application/octet-stream")
        #expect(put.header("Transfer-Encoding") == nil)
        #expect(put.body == (try blob.bytes))
    }

    @Test(arguments: [0, 1, (1 << 20) + 1, (3 << 20) + 17], Digest.Algorithm.allCases)
    func `a blob that is uploaded is there and can be had`(byteCount: Int, algorithm: Digest.Algorithm) async throws {
        let blob = try TestBlob.random(byteCount, algorithm: algorithm)
        let file = try OpenBlob(blob)
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        let received = Received()
        try await withClient { client in
            try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        #expect(received.bytes == (try blob.bytes))
        #expect(registry.storage.hasBlob(blob.digest, repository: "app"))
        #expect(try registry.storage.bytes(blob.digest) == (try blob.bytes))
        #expect(try registry.storage.blobs() == [blob.digest])
        let answers = try await registry.finish().map { "\($0.method) \($0.status)" }
        #expect(answers.sorted() == ["GET 200", "POST 202", "PUT 201"])
    }

    @Test(arguments: [RegistryContent.UploadLocation.relative, .absolute])
    func `the location is followed as it is, its query kept`(location: RegistryContent.UploadLocation) async throws {
        let blob = try TestBlob.random(1000)
        let file = try OpenBlob(blob)
        let content = RegistryContent(uploadLocation: location)
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        try await withClient { try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in } }
        #expect(registry.lines.last == "PUT /v2/app/blobs/uploads/1?_state=a%2Fb%3D&digest=\(blob.digest)")
    }

    @Test func `a location without a query, relative to the request, is followed`() async throws {
        let blob = try TestBlob.random(1000)
        let file = try OpenBlob(blob)
        let registry = try ScriptedRegistry { request in
            request.method == "POST" ? Answer(202).with("Location", "session-7") : Answer(201)
        }
        let repository = try registry.repository()
        try await withClient { try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in } }
        #expect(registry.lines.last == "PUT /v2/app/blobs/uploads/session-7?digest=\(blob.digest)")
    }

    @Test(arguments: [Digest.Algorithm.sha256, .sha512])
    func `an upload to another host takes no credentials there`(algorithm: Digest.Algorithm) async throws {
        let blob = try TestBlob.random(2 << 20, algorithm: algorithm)
        let file = try OpenBlob(blob)
        let storage = try ScriptedRegistry { _ in Answer(201) }
        let issuer = TokenIssuer(user: ("me", "secret"))
        let content = RegistryContent(uploadLocation: .otherHost(storage.address))
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let repository = try registry.repository()
        try await withClient(signedIn()) { client in
            for _ in 0..<2 { try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in } }
        }
        #expect(storage.requests.map(\.method) == ["PUT", "PUT"])
        #expect(storage.requests[0].target == "/v2/app/blobs/uploads/1?_state=a%2Fb%3D&digest=\(blob.digest)")
        for request in storage.requests {
            #expect(request.body == (try blob.bytes))
            #expect(!request.headers.contains { $0.value.contains("Bearer") || $0.value.contains("Basic") })
        }
    }

    @Test func `a challenge of another host during an upload is not answered`() async throws {
        let blob = try TestBlob.random(1000)
        let file = try OpenBlob(blob)
        let storage = try ScriptedRegistry { _ in Answer(401, headers: [("WWW-Authenticate", "Basic realm=x")]) }
        let content = RegistryContent(uploadLocation: .otherHost(storage.address))
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository()
        let error = try await clientFailure(signedIn()) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(error.code == .unauthorized)
        #expect(error.subject == "\(repository)@\(blob.digest)")
        #expect(error.request == "PUT http://\(storage.address)/v2/app/blobs/uploads/1")
        // The second cancels the upload.
        #expect(storage.requests.map(\.method) == ["PUT", "DELETE"])
        #expect(storage.requests.allSatisfy { $0.header("Authorization") == nil })
    }

    @Test(arguments: [307, 308])
    func `a redirect of the PUT sends the whole body again, without credentials`(status: Int) async throws {
        let blob = try TestBlob.random(3 << 20)
        let file = try OpenBlob(blob)
        let storage = try ScriptedRegistry { _ in Answer(201) }
        let registry = try ScriptedRegistry { [address = storage.address] request in
            guard request.header("Authorization") != nil else {
                return Answer(401, headers: [("WWW-Authenticate", "Basic realm=x")])
            }
            guard request.method == "PUT" else { return Answer(202).with("Location", "/v2/app/blobs/uploads/1?a=b") }
            return .redirect(to: "http://\(address)/bucket?signature=%2F&\(request.target.dropFirst())", status: status)
        }
        let repository = try registry.repository()
        try await withClient(signedIn()) {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(storage.requests.map(\.method) == ["PUT"])
        #expect(storage.requests[0].target.hasPrefix("/bucket?signature=%2F&"))
        #expect(storage.requests[0].header("Content-Length") == "\(3 << 20)")
        #expect(storage.requests[0].header("Authorization") == nil)
        #expect(storage.requests[0].body == (try blob.bytes))
        #expect(registry.requests.last?.body == (try blob.bytes))
    }

    /// Each upload reads the one file on its own: none moves where another reads.
    @Test func `uploads from one file run at once and keep their bytes apart`() async throws {
        let blobs = try (0..<24).map { try TestBlob.random((2 << 20) + $0, seed: UInt64($0)) }
        let file = try OpenBlob(blobs)
        let registry = try await EmbeddedRegistry()
        let repository = try registry.repository()
        try await withClient { client in
            try await withThrowingTaskGroup { group in
                for (blob, range) in zip(blobs, file.ranges) {
                    group.addTask { try await client.putBlob(blob.descriptor, to: repository, from: range) { _ in } }
                }
                try await group.waitForAll()
            }
        }
        for blob in blobs {
            #expect(registry.storage.hasBlob(blob.digest, repository: "app"))
            #expect(try registry.storage.bytes(blob.digest) == (try blob.bytes))
        }
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
        #expect(try await registry.finish().count == 48)
    }

    @Test func `a token that runs out between POST and PUT is replaced, and the blob sent again`() async throws {
        let blob = try TestBlob.random(2 << 20)
        let file = try OpenBlob(blob)
        let content = RegistryContent()
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry { request in
            let answer = issuer.guarding(content.answer)(request)
            if request.method == "POST", answer.status == 202 { issuer.revokeAll() }
            return answer
        }
        let repository = try registry.repository()
        try await withClient { try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in } }
        #expect(content.blob(blob.digest, repository: "app") == (try blob.bytes))
        #expect(issuer.issued.count == 2)
        #expect(registry.requests.map(\.method) == ["POST", "GET", "POST", "PUT", "GET", "PUT"])
    }
}
