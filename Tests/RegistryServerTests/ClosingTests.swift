import Foundation
import RegistryServer
import TestSupport
import Testing

/// How a server ends.
@Suite(.serialized) struct ClosingTests {
    /// Waits until nobody listens at an address any more.
    static func waitUntilRefused(_ address: String) async throws {
        for _ in 0..<1000 {
            guard (try? HTTPConnection(to: address)) != nil else { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(address) is still listened at")
    }

    @Test func `what is in flight is answered, and nothing else is taken`() async throws {
        let (bytes, digest) = try content(2_000_000)
        let scratch = try ScratchDirectory()
        let gate = AsyncStream<(address: String, connections: [HTTPConnection])>.makeStream()
        async let client: Void = {
            for await (address, connections) in gate.stream {
                try await Self.waitUntilRefused(address)
                // Idle ones, with and without a request before, and one in the middle of a head.
                for connection in connections[1...] { #expect(try await connection.receiveRest().isEmpty) }
                try await connections[0].send(Array(bytes[1_000_000...]))
                let answer = try await connections[0].receive()
                #expect(answer.status == 201)
                #expect(answer.headers("Connection") == ["close"])
                #expect(try await connections[0].receiveRest().isEmpty)
                return
            }
        }()
        try await withServer(on: scratch.path) { server in
            let upload = try server.connect()
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            try await upload.send(HTTPRequest("POST", target, body: bytes).head + bytes[..<1_000_000])
            let (kept, silent, dripping) = (try server.connect(), try server.connect(), try server.connect())
            try await dripping.send("GET /v2/ HT")
            #expect(try await kept.ask(HTTPRequest("GET", "/v2/")).status == 200)
            for _ in 0..<500 where server.storage.unfinishedUploads(repository: "app").isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            gate.continuation.yield((server.address, [upload, kept, silent, dripping]))
            gate.continuation.finish()
        }
        try await client
        try expectEqual(RegistryStorage(root: scratch.path).bytes(digest), bytes)
    }

    /// A slow download: of what is served from a directory that cannot be changed, with and without TLS.
    @Test(arguments: [false, true])
    func `a download in flight is finished`(usesTLS: Bool) async throws {
        let (bytes, digest) = try content(8 << 20)
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { _ = try await $0.push(bytes) }
        let keys = try ScratchDirectory()
        let certificate = try TestCertificate.make(in: keys)
        let settings = RegistryServer.Configuration.with { configuration in
            guard usesTLS else { return }
            configuration.tls = .init(certificatePath: certificate.certificatePath, keyPath: certificate.keyPath)
        }
        let curl = try await withServer(on: scratch.path, isReadOnly: true, settings) { server in
            let url = "\(usesTLS ? "https" : "http")://\(server.address)/v2/app/blobs/\(digest)"
            let arguments = [
                "-sSf", "--cacert", certificate.authorityPath, "--limit-rate", "4M", "-o", keys.path("out"), url,
            ]
            let curl = try Command("curl", arguments).start()
            for _ in 0..<1000 where !keys.contains("out") { try await Task.sleep(for: .milliseconds(10)) }
            return curl
        }
        let outcome = await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: curl.wait()) }
        }
        #expect(outcome.status == 0, "\(outcome.errorText)")
        try expectEqual(keys.read("out"), bytes)
    }

    @Test func `what is in flight is not waited for without end`() async throws {
        let (bytes, digest) = try content(1000)
        let (upload, log) = try await withServer(.with { $0.closingTimeout = .milliseconds(300) }) { server in
            let upload = try server.connect()
            let target = "/v2/app/blobs/uploads/?digest=\(digest)"
            try await upload.send(HTTPRequest("POST", target, framing: .declared(2000)).head + bytes)
            for _ in 0..<500 where server.storage.unfinishedUploads(repository: "app").isEmpty {
                try await Task.sleep(for: .milliseconds(10))
            }
            return (upload, server.log)
        }
        #expect(try await upload.receiveRest().isEmpty)
        #expect(log.entries.contains { $0.message == "closing" && $0.isFailure })
    }

    @Test func `two servers run side by side, and a port is free when its server has gone`() async throws {
        let (bytes, digest) = try content(1000)
        let port = try await withServer { one in
            try await withServer { other in
                #expect(one.server.port != other.server.port && one.server.port > 0)
                try await one.push(bytes)
                #expect(try await one.ask("GET", "/v2/app/blobs/\(digest)").body == bytes)
                #expect(try await other.ask("GET", "/v2/app/blobs/\(digest)").status == 404)
            }
            #expect(try await one.ask("GET", "/v2/app/blobs/\(digest)").body == bytes)
            return one.server.port
        }
        for _ in 0..<3 {
            try await withServer(.with { $0.port = port }) { server in
                #expect(server.server.port == port && server.address == "127.0.0.1:\(port)")
                let answer = try await server.ask("GET", "/v2/")
                #expect(answer.status == 200)
                // While it is there, nobody else can have it.
                let error = await #expect(throws: ServerError.self) {
                    try await withServer(.with { $0.port = port }) { _ in }
                }
                guard case .listening(let address) = error?.code else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(address == "127.0.0.1:\(port)")
                #expect(error?.description.hasPrefix("listening at 127.0.0.1:\(port): address already in use") == true)
            }
        }
    }

    /// In a process of its own, where nobody else opens files.
    @Test func `nothing is left of servers that have gone`() async throws {
        await #expect(processExitsWith: .success) {
            func count(_ name: String) throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/self/\(name)").count
            }
            func round() async throws {
                try await withServer { server in
                    let connection = try server.connect()
                    _ = try await connection.ask(HTTPRequest("GET", "/v2/"))
                    _ = try await server.openUpload()
                    try await expectAlive(server)
                }
            }
            // What is made once and kept, by Swift, Foundation and NIO, is made now.
            for _ in 0..<2 { try await round() }
            let files = try count("fd")
            for _ in 0..<10 { try await round() }
            var threads = try count("task")
            for _ in 0..<500 where threads > 40 {
                try await Task.sleep(for: .milliseconds(10))
                threads = try count("task")
            }
            // Each of the ten would have left more than thirty.
            precondition(threads <= 40, "\(threads) threads")
            let left = try count("fd")
            precondition(left <= files, "\(left) files, \(files) before")
        }
    }
}
