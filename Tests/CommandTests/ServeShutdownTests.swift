import Foundation
import OCI
import TestSupport
import Testing

/// How a server ends: what is under way is finished, unless somebody insists.
@Suite struct ServeShutdownTests {
    private let terminal: Terminal
    private let storage: RegistryStorage
    /// More than fits into the buffers between a client that does not read and the server.
    private let blob = RandomBytes.make(count: 32 << 20, seed: 730)
    private let digest: Digest

    init() throws {
        terminal = try Terminal()
        storage = RegistryStorage(root: terminal.scratch.path("registry"))
        digest = try Digest.of(blob)
        try FileManager.default.createDirectory(atPath: storage.root, withIntermediateDirectories: true)
    }

    /// A server, and a client that has sent half of a blob to it.
    private func startUpload() async throws -> (ServeProcess, ServeClient) {
        let server = try ServeProcess(terminal, ["registry"])
        let client = try ServeClient(server.address)
        let session = try client.ask("POST", "/v2/app/blobs/uploads/")
        let location = try #require(session.headers["location"])
        try client.send(head: "PUT", "\(location)?digest=\(digest)", byteCount: blob.count)
        try client.send(blob.prefix(blob.count / 2))
        // What a request under way has sent shows in the file of its session.
        let path = storage.root + "/docker/registry/v2/repositories/app/_uploads/"
        let file = try #require(try FileManager.default.contentsOfDirectory(atPath: path).first)
        try await until { try FileManager.default.attributesOfItem(atPath: "\(path)\(file)/data")[.size] as? Int != 0 }
        return (server, client)
    }

    /// Tells a server to end, and waits until it has taken notice.
    private func ask(_ server: ServeProcess, toEndBy signal: Int32) async throws {
        server.signal(signal)
        try await until { server.log.contains("closing: requests that are under way are finished") }
    }

    /// The signals by which a user or a system ends a command.
    @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
    func `an upload that is under way is finished, and nothing new begun`(signal: Int32) async throws {
        let (server, client) = try await startUpload()
        let idle = try ServeClient(server.address)
        #expect(try idle.ask("GET", "/v2/").status == 200)
        try await ask(server, toEndBy: signal)
        // Who is not in the middle of something is sent away, and nobody let in.
        #expect(try idle.isClosed())
        #expect(throws: ServeClientError.self) { try ServeClient(server.address) }
        #expect(!server.hasEnded)
        try client.send(blob.dropFirst(blob.count / 2))
        let answer = try client.receive()
        #expect(answer.status == 201)
        #expect(answer.headers["connection"] == "close")
        #expect(try client.isClosed())
        #expect(server.wait() == 0)
        #expect(try storage.bytes(digest) == blob)
        #expect(storage.hasBlob(digest, repository: "app"))
        #expect(storage.unfinishedUploads(repository: "app") == [])
        #expect(server.requests.count == 3)
        // The address is free at once.
        #expect(try ServeProcess(terminal, ["registry", "--listen", server.address]).address == server.address)
    }

    @Test func `a download that is under way is finished`() async throws {
        try storage.add(
            TestBlob(bytes: blob, mediaType: MediaType(rawValue: "application/octet-stream")),
            repository: "app"
        )
        let server = try ServeProcess(terminal, ["registry"])
        let client = try ServeClient(server.address)
        try client.send(head: "GET", "/v2/app/blobs/\(digest)", byteCount: 0)
        // Only its answer tells that it has begun; its end cannot be there, as too much of it is not read yet.
        try client.peek()
        try await ask(server, toEndBy: SIGTERM)
        #expect(!server.hasEnded)
        let answer = try client.receive(keepsBody: false)
        #expect(answer.status == 200)
        #expect(answer.digest == digest)
        #expect(server.wait() == 0)
    }

    @Test(arguments: [(SIGTERM, SIGTERM), (SIGINT, SIGINT), (SIGTERM, SIGINT)])
    func `a second signal ends it at once`(first: Int32, second: Int32) async throws {
        let (server, client) = try await startUpload()
        try await ask(server, toEndBy: first)
        #expect(server.end(second) == 128 + second)
        #expect(try client.isClosed())
        // Nothing of it is visible, and what has come can be gone on with.
        #expect(!storage.hasBlob(digest))
        #expect(storage.unfinishedUploads(repository: "app").count == 1)
        let next = try ServeProcess(terminal, ["registry"])
        #expect(try next.ask("HEAD", "/v2/app/blobs/\(digest)").status == 404)
        let session = "/v2/app/blobs/uploads/\(storage.unfinishedUploads(repository: "app")[0])"
        let range = try #require(try next.ask("GET", session).headers["range"])
        let count = try #require(range.split(separator: "-").last.flatMap { Int($0) }) + 1
        #expect(count > 1 && count <= blob.count / 2)
        let rest = try next.ask("PUT", "\(session)?digest=\(digest)", body: Array(blob[count...]))
        #expect(rest.status == 201, "\(rest.text)")
        #expect(try storage.bytes(digest) == blob)
        #expect(next.end() == 0)
    }

    @Test func `a signal that is ignored from the start stays ignored`() async throws {
        let server = try ServeProcess(terminal, ["registry"], wrapper: ["nohup"])
        server.signal(SIGHUP)
        // A signal that counts closes the door; this one has had ample time for it when others have been answered.
        for _ in 0..<50 { #expect(try server.ask("GET", "/v2/").status == 200) }
        #expect(!server.hasEnded)
        #expect(server.end() == 0)
    }

    @Test func `a server to which nobody talks ends at once`() async throws {
        for signal in [SIGTERM, SIGINT] {
            let server = try ServeProcess(terminal, ["registry"])
            // One that is connected and silent does not hold it up.
            let silent = try ServeClient(server.address)
            #expect(server.end(signal) == 0)
            #expect(try silent.isClosed())
        }
    }
}
