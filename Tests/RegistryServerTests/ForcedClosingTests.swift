import OCI
import Synchronization
import TestSupport
import Testing

/// How a server ends whose operation failed or was cancelled.
@Suite(.serialized) struct ForcedClosingTests {
    private struct Stop: Error {}

    @Test func `who throws closes everything at once`() async throws {
        let connections = Mutex<[HTTPConnection]>([])
        let (bytes, digest) = try content(1000)
        await #expect(throws: Stop.self) {
            try await withServer { server in
                let (upload, kept) = (try server.connect(), try server.connect())
                let target = "/v2/app/blobs/uploads/?digest=\(digest)"
                try await upload.send(HTTPRequest("POST", target, framing: .declared(2000)).head + bytes)
                #expect(try await kept.ask(HTTPRequest("GET", "/v2/")).status == 200)
                connections.withLock { $0 = [upload, kept] }
                throw Stop()
            }
        }
        for connection in connections.withLock(\.self) {
            // A connection of which something had not been read is reset.
            do { #expect(try await connection.receiveRest().isEmpty) } catch is HTTPConnectionError {}
        }
    }

    /// In a process of its own: a connection that was taken and is dropped without being closed ends the process.
    @Test func `connections that were only just taken are closed with the others`() async throws {
        await #expect(processExitsWith: .success) {
            for number in 0..<60 {
                let task = Task {
                    try await withServer { server in
                        let connections = try (0..<40).map { _ in try server.connect() }
                        for _ in 0..<(number % 6) { await Task.yield() }
                        guard number % 3 != 0 else { throw CancellationError() }
                        while number % 3 == 1, !Task.isCancelled { await Task.yield() }
                        withExtendedLifetime(connections) {}
                    }
                }
                if number % 3 == 1 {
                    try await Task.sleep(for: .milliseconds(number % 10))
                    task.cancel()
                }
                _ = await task.result
            }
        }
    }

    @Test func `a server that is cancelled is closed`() async throws {
        let address = Mutex<String?>(nil)
        let task = Task {
            try await withServer { server in
                let stalled = try server.connect()
                let target = "/v2/app/blobs/uploads/?digest=\(try Digest.of([1]))"
                try await stalled.send(HTTPRequest("POST", target, framing: .declared(2000)).head)
                address.withLock { $0 = server.address }
                try await Task.sleep(for: .seconds(600))
            }
        }
        while address.withLock({ $0 == nil }) { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await ClosingTests.waitUntilRefused(try #require(address.withLock(\.self)))
    }
}
