import Foundation
import OCI
import TestSupport
import Testing

/// A proxy before a registry that knows nothing of it.
@Suite struct FaultProxyRegistryTests {
    @Test func `a blob is pushed in two chunks and fetched, and one session is lost`() async throws {
        let registry = try DockerRegistry()
        let proxy = try FaultProxy(to: registry.address) { request, count in
            request.method == "PUT" && count == 1 ? .lostUpload : nil
        }
        let bytes = RandomBytes.make(count: 100_000, seed: 1)
        let digest = try Digest.of(bytes)
        let connection = try HTTPConnection(to: proxy.address)
        for status in [404, 201] {
            var target = try location(try await connection.ask(HTTPRequest("POST", "/v2/app/blobs/uploads/")))
            for part in [bytes[..<60_000], bytes[60_000...]] {
                target = try location(try await connection.ask(HTTPRequest("PATCH", target, body: Array(part))))
            }
            let end = try await connection.ask(HTTPRequest("PUT", "\(target)&digest=\(digest)"))
            #expect(end.status == status)
            #expect(registry.storage.hasBlob(digest, repository: "app") == (status == 201))
        }
        let answer = try await connection.ask(HTTPRequest("GET", "/v2/app/blobs/\(digest)"))
        #expect(answer.body == bytes)
        #expect(answer.header("Docker-Content-Digest") == "\(digest)")
        #expect(proxy.connectionCount == 1)
        #expect(proxy.exchanges.map(\.count) == [1, 1, 2, 1, 2, 3, 4, 2, 1])
        #expect(registry.requests.count("PUT") == 1)
    }

    /// The path of an upload, at the host that the client asked.
    private func location(_ answer: HTTPAnswer) throws -> String {
        let location = try #require(answer.header("Location"))
        let base = "http://registry.test"
        #expect(location.hasPrefix(base))
        return String(location.dropFirst(base.count))
    }

    /// Faults with the status, the range that the answer says, and the one that it has.
    private static let ranges: [(fault: FaultProxy.Fault?, status: Int, said: String?, had: Range<Int>?)] = [
        (nil, 206, "bytes 10-19/100", 10..<20),
        (.askingForRange("bytes=50-59"), 206, "bytes 50-59/100", 50..<60),
        (.askingForRange(nil), 200, nil, 0..<100),
        (.askingForRange("bytes=100-"), 416, "bytes */100", nil),
        (.contentRange("bytes 50-59/100"), 206, "bytes 50-59/100", 10..<20),
        (.contentRange(nil), 206, nil, 10..<20),
        (
            .altered(request: [("Range", "bytes=50-59")], answer: [("Content-Range", "bytes 10-19/100")]), 206,
            "bytes 10-19/100", 50..<60
        ),
    ]

    @Test(arguments: ranges)
    func `a range is another, or is said to be`(
        fault: FaultProxy.Fault?,
        status: Int,
        said: String?,
        had: Range<Int>?
    ) async throws {
        let registry = try DockerRegistry()
        let blob = RandomBytes.make(count: 100, seed: 1)
        let digest = try add(blob, to: registry)
        let proxy = try FaultProxy(to: registry.address) { _, _ in fault }
        let request = HTTPRequest("GET", "/v2/app/blobs/\(digest)", headers: [("Range", "bytes=10-19")])
        let connection = try HTTPConnection(to: proxy.address)
        try await connection.send(request.bytes)
        let answer = try await connection.receiveHead()
        #expect(answer.status == status)
        #expect(answer.header("Content-Range") == said)
        // Without one the registry breaks its answer off: it says the blob's length and sends a sentence.
        if let had { #expect(try await connection.receive(count: had.count) == Array(blob[had])) }
    }

    @Test func `the digest that the registry says is another`() async throws {
        let registry = try DockerRegistry()
        let digest = try add([1, 2, 3], to: registry)
        let proxy = try FaultProxy(to: registry.address) { _, count in
            .contentDigest(count == 1 ? "sha256:00" : nil)
        }
        for said in ["sha256:00", nil] {
            let request = HTTPRequest("HEAD", "/v2/app/blobs/\(digest)")
            let answer = try await HTTPConnection(to: proxy.address).ask(request)
            #expect(answer.status == 200)
            #expect(answer.headers("Docker-Content-Digest") == [said].compactMap(\.self))
        }
    }

    @Test func `whoever tries again often enough gets the right bytes through random faults`() async throws {
        let registry = try DockerRegistry()
        let proxy = try FaultProxy(to: registry.address, script: FaultProxy.random(seed: 5, percentage: 50))
        for seed in 1...20 as ClosedRange<UInt64> {
            let blob = RandomBytes.make(count: 1 << seed, seed: seed)
            let request = HTTPRequest("GET", "/v2/app/blobs/\(try add(blob, to: registry))")
            var got: [UInt8]?
            while got != blob { got = try? await HTTPConnection(to: proxy.address).ask(request).body }
        }
        // Without a fault none had to be asked for twice.
        #expect(proxy.exchanges.count > 20)
        #expect(proxy.exchanges.count { $0.fault == nil } <= 20)
    }

    private func add(_ bytes: [UInt8], to registry: DockerRegistry) throws -> Digest {
        let blob = try TestBlob(bytes: bytes, mediaType: MediaType(rawValue: "application/octet-stream"))
        try registry.storage.add(blob, repository: "app")
        return blob.digest
    }

    /// In a process of its own, whose memory is that of the proxy and little more.
    @Test func `a body of 64 MiB passes both ways unchanged and is not held`() async throws {
        await #expect(processExitsWith: .success) {
            let registry = try DockerRegistry()
            let proxy = try FaultProxy(to: registry.address)
            let connection = try HTTPConnection(to: proxy.address)
            let start = try await connection.ask(HTTPRequest("POST", "/v2/app/blobs/uploads/"))
            let path = try #require(start.header("Location")?.dropFirst("http://registry.test".count))
            let piece = RandomBytes.make(count: 1 << 20, seed: 1)
            let hasher = DigestHasher(algorithm: .sha256)
            for _ in 0..<64 { piece.withUnsafeBytes { hasher.update($0) } }
            let digest = try hasher.finish()
            let before = try ownMemory()
            let target = "\(path)&digest=\(digest)"
            try await connection.send(HTTPRequest("PUT", target, framing: .declared(64 << 20)).head)
            for _ in 0..<64 { try await connection.send(piece) }
            let status = try await connection.receive().status
            precondition(status == 201)
            try await connection.send(HTTPRequest("GET", "/v2/app/blobs/\(digest)").bytes)
            _ = try await connection.receiveHead()
            for _ in 0..<64 {
                let part = try await connection.receive(count: 1 << 20)
                precondition(part == piece)
            }
            let growth = try ownMemory() - before
            precondition(growth < 32 << 20 || Sanitizer.current != nil, "\(growth)")
        }
    }

    /// In a process of its own, where nobody else opens files.
    @Test func `nothing is left of connections that have gone`() async throws {
        await #expect(processExitsWith: .success) {
            let registry = try ScriptedRegistry { _ in Answer(body: Array("abcdefgh".utf8)) }
            let proxy = try FaultProxy(to: registry.address) { request, _ in
                switch request.path {
                case "/1": .transfer(.reset(after: 2))
                case "/2": .resetRequest(after: 2)
                case "/3": .earlyAnswer(Answer(503))
                case "/4": .transfer(.stalledBeforeHead)
                case "/5": .stalledRequest(after: 1)
                default: nil
                }
            }
            func count() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
            // The process may have been born with files of others.
            let before = try count()
            for _ in 0..<30 {
                for path in 0..<6 {
                    let connection = try HTTPConnection(to: proxy.address)
                    try await connection.send(HTTPRequest("PUT", "/\(path)", body: [1, 2, 3]).bytes)
                    if path < 4 { _ = try? await connection.receive() }
                }
            }
            for _ in 0..<3000 where try count() > before + 20 { try await Task.sleep(for: .milliseconds(10)) }
            let left = try count() - before
            precondition(left <= 20, "\(left) files are open")
        }
    }
}

/// The most memory that these tests ever had, in bytes.
private func ownMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    return try #require(status.firstMatch(of: /VmHWM:\s+([0-9]+) kB/).flatMap { Int($0.1) }) * 1024
}
