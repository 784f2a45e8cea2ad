import Logging
import OCI
import RegistryServer
import Synchronization
import TestSupport
import Testing

/// A server on a directory, for one test.
struct TestServer: Sendable {
    let server: RegistryServer
    /// The registry's root directory.
    let root: String
    let log: RequestLog

    var address: String { server.address }
    /// What the directory holds, told by an independent reader.
    var storage: RegistryStorage { RegistryStorage(root: root) }

    /// Opens a connection.
    func connect(timeout: Int = 120, receiveByteCount: Int32? = nil) throws -> HTTPConnection {
        try HTTPConnection(to: "127.0.0.1:\(server.port)", timeout: timeout, receiveByteCount: receiveByteCount)
    }

    /// Sends a request on a connection of its own.
    func ask(_ request: HTTPRequest) async throws -> HTTPAnswer { try await connect().ask(request) }

    /// Sends a request on a connection of its own.
    func ask(
        _ method: String,
        _ target: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil,
        framing: HTTPRequest.Framing? = nil
    ) async throws -> HTTPAnswer {
        try await ask(HTTPRequest(method, target, headers: headers, body: body, framing: framing))
    }

    // MARK: - What most tests begin with

    /// Puts a blob there by the shortest way.
    @discardableResult
    func push(_ bytes: [UInt8], to repository: String = "app", algorithm: Digest.Algorithm = .sha256) async throws
        -> Digest
    {
        let digest = try Digest.of(bytes, algorithm: algorithm)
        let answer = try await ask("POST", "/v2/\(repository)/blobs/uploads/?digest=\(digest)", body: bytes)
        try #require(answer.status == 201, "\(answer.text)")
        return digest
    }

    /// Puts an image there, children first, and points a tag at it.
    func push(_ image: TestImage, to repository: String = "app", tag: String? = nil) async throws {
        for blob in image.blobs { try await push(blob.bytes, to: repository, algorithm: blob.digest.algorithm) }
        for document in image.documents {
            let answer = try await put(document, to: repository, as: document.digest.description)
            try #require(answer.status == 201, "\(answer.text)")
        }
        guard let tag else { return }
        let answer = try await put(image.document, to: repository, as: tag)
        try #require(answer.status == 201, "\(answer.text)")
    }

    /// Puts a manifest there under a tag or a digest, with parameters if need be.
    func put(_ document: TestDocument, to repository: String = "app", as reference: String) async throws -> HTTPAnswer {
        try await ask(
            "PUT",
            "/v2/\(repository)/manifests/\(reference)",
            headers: [("Content-Type", document.mediaType.rawValue)],
            body: document.bytes
        )
    }

    /// Opens an upload session and gives its location.
    func openUpload(in repository: String = "app", parameters: String = "") async throws -> String {
        let answer = try await ask("POST", "/v2/\(repository)/blobs/uploads/\(parameters)")
        try #require(answer.status == 202, "\(answer.text)")
        return try #require(answer.header("Location"))
    }

    /// Where an upload session is.
    func status(of upload: String) async throws -> HTTPAnswer { try await ask("GET", upload) }
}

/// Runs a test's body with a server on a directory of its own.
func withServer<Result: Sendable>(
    isReadOnly: Bool = false,
    _ configuration: RegistryServer.Configuration = RegistryServer.Configuration(),
    _ body: @escaping @Sendable (TestServer) async throws -> Result
) async throws -> Result {
    let scratch = try ScratchDirectory()
    defer { withExtendedLifetime(scratch) {} }
    return try await withServer(on: scratch.path, isReadOnly: isReadOnly, configuration, body)
}

/// Runs a test's body with a server on a directory that was there before.
func withServer<Result: Sendable>(
    on root: String,
    isReadOnly: Bool = false,
    _ configuration: RegistryServer.Configuration = RegistryServer.Configuration(),
    _ body: @escaping @Sendable (TestServer) async throws -> Result
) async throws -> Result {
    let log = RequestLog()
    var configuration = configuration
    // A port that is free, unless a test wants one of its own.
    if configuration.port == RegistryServer.Configuration().port { configuration.port = 0 }
    configuration.logger = Logger(label: "test", factory: { _ in log.handler })
    let content = try ServedContent.directory(root, isReadOnly: isReadOnly)
    return try await ServerSlots.shared.withSlot {
        try await RegistryServer.withServer(of: content, configuration) { server in
            try await body(TestServer(server: server, root: root, log: log))
        }
    }
}

extension RegistryServer.Configuration {
    /// The defaults, changed.
    static func with(_ change: (inout Self) throws -> Void) rethrows -> Self {
        var configuration = Self()
        try change(&configuration)
        return configuration
    }
}

/// How many servers run at once: each has dozens of threads, and the tests are hundreds.
private actor ServerSlots {
    static let shared = ServerSlots()

    private var free = 12
    private var waiting: [CheckedContinuation<Void, Never>] = []

    nonisolated func withSlot<Result>(_ body: () async throws -> Result) async throws -> Result {
        await take()
        do {
            let result = try await body()
            await give()
            return result
        } catch {
            await give()
            throw error
        }
    }

    private func take() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

/// What a server wrote to its log.
final class RequestLog: Sendable {
    struct Entry: Sendable {
        /// Whether it is of the level of failures.
        let isFailure: Bool
        let message: String
        let metadata: [String: String]
    }

    private struct Handler: LogHandler {
        let log: RequestLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.state.withLock {
                $0.append(Entry(isFailure: event.level == .error, message: "\(event.message)", metadata: metadata))
            }
        }
    }

    private let state = Mutex<[Entry]>([])

    var handler: any LogHandler { Handler(log: self) }
    var entries: [Entry] { state.withLock { $0 } }
    /// The entries of requests.
    var requests: [Entry] { entries.filter { $0.message == "request" } }

    /// The first entry that a test waits for: an answer arrives a moment before it is noted.
    func entry(where condition: (Entry) -> Bool) async throws -> Entry {
        for _ in 0..<1000 {
            if let entry = entries.first(where: condition) { return entry }
            try await Task.sleep(for: .milliseconds(10))
        }
        let last = entries.first(where: condition)
        return try #require(last, "\(entries)")
    }
}

extension Testing.Tag {
    /// Runs programs of others on what we serve, or needs the system to mount something.
    @Tag static var interop: Self
}
