import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import OCI
import Synchronization

/// Sends one request over one connection, where its host may be disturbed: no redirect, no credentials, no second try.
final class HTTPTransport: Sendable {
    /// What Drayage calls itself.
    private static let userAgent = "drayage/\(Version.current) (linux; \(Version.architecture))"

    private let client: HTTPClient
    /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer for the answer.
    private let uploadClient: HTTPClient
    private let writeTimeout: TimeAmount
    private let log: RequestLog
    /// Where certificates are not verified, and the settings for that.
    private let insecureOrigins: Set<URLParts.Origin>
    private let insecureTLS: TLSConfiguration
    private let count = Atomic<Int>(0)
    /// What the hosts have said of themselves.
    let hosts: HostGates
    /// Files of uploads that failed.
    ///
    /// A connection that is coming down might still read from one, and a closed descriptor could become another file's.
    /// So the newest stay open: the connections of the older ones are gone.
    private let abandonedFiles = Mutex<[NIOFileHandle]>([])
    private static let abandonedFileLimit = 128

    /// The requests that were sent so far.
    var requestCount: Int { count.load(ordering: .relaxed) }

    init(configuration: RegistryClient.Configuration, tls: TLSConfiguration) {
        let group = MultiThreadedEventLoopGroup.singleton
        hosts = HostGates(clock: configuration.retryClock)
        log = RequestLog(logger: configuration.logger)
        var insecureTLS = tls
        insecureTLS.certificateVerification = .none
        self.insecureTLS = insecureTLS
        insecureOrigins = Set(
            configuration.insecureHosts.compactMap { host in
                URLParts.origin(of: RegistryEndpoint(registry: host, scheme: .https).baseURL)
            }
        )
        writeTimeout = TimeAmount(configuration.idleTimeout)
        client = HTTPClient(
            eventLoopGroup: group,
            configuration: Self.settings(configuration, tls: tls, answerTimeout: configuration.idleTimeout)
        )
        uploadClient = HTTPClient(
            eventLoopGroup: group,
            configuration: Self.settings(configuration, tls: tls, answerTimeout: configuration.storeTimeout)
        )
    }

    /// Closes all connections.
    func shutdown() async throws {
        var failure: (any Error)?
        for client in [uploadClient, client] {
            do {
                try await client.shutdown()
            } catch {
                failure = failure ?? error
            }
        }
        for file in abandonedFiles.withLock({ $0 }) { try file.close() }
        if let failure { throw failure }
    }

    /// Sends a request and receives its answer.
    ///
    /// - Throws: ``RegistryError``, `CancellationError`, ``HostGates/Closed`` before anything was sent,
    ///   ``BlobDownload/RangeRefused``, ``BlobDownload/PieceEnded``, or what the sink of a streamed body throws.
    func send(
        _ request: HTTPRequest,
        handling: BodyHandling,
        context: RequestContext
    ) async throws -> HTTPResponse {
        try Task.checkCancellation()
        try hosts.pass(request.url)
        let delegate = ResponseDelegate(handling: handling)
        let start = ContinuousClock.now
        count.add(1, ordering: .relaxed)
        let file = try Self.file(for: request, context: context)
        let sent = SentCount(of: request.body)
        do {
            let message = try message(for: request, file: file, sent: sent)
            let client = if case .file = request.body { uploadClient } else { client }
            var response = try await execute(message, client, delegate)
            response.url = request.url
            hosts.note(&response, to: request, context: context)
            // A refusal may come before the last piece has left.
            if (200..<300).contains(response.status), !response.bodyWasCut { try file?.close() } else { abandon(file) }
            log.note(
                request,
                "\(response.status)\(response.bodyWasCut ? ", body cut" : "")",
                remarks: AnswerRemarks(response.headers),
                sent: sent.value,
                received: delegate.receivedCount,
                since: start
            )
            return response
        } catch {
            abandon(file)
            let mapped = TransportFailure.map(
                error,
                request: request,
                isKnown: hosts.hasAnswered(request.url),
                context: context
            )
            let outcome = mapped is BlobDownload.PieceEnded ? "read as far as needed" : "failed"
            log.note(request, outcome, sent: sent.value, received: delegate.receivedCount, since: start)
            throw mapped
        }
    }

    private func execute(
        _ message: HTTPClient.Request,
        _ client: HTTPClient,
        _ delegate: ResponseDelegate
    ) async throws -> HTTPResponse {
        let task = client.execute(request: message, delegate: delegate)
        do {
            return try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
        } catch {
            guard let response = delegate.answer(despite: error) else { throw error }
            return response
        }
    }

    private func abandon(_ file: NIOFileHandle?) {
        guard let file else { return }
        let oldest = abandonedFiles.withLock { files -> NIOFileHandle? in
            files.append(file)
            return files.count > Self.abandonedFileLimit ? files.removeFirst() : nil
        }
        // Nothing is lost with a descriptor that cannot be closed.
        try? oldest?.close()
    }

    private static func file(for request: HTTPRequest, context: RequestContext) throws -> NIOFileHandle? {
        // The scheme decides as the connection will read it: sendfile into TLS would end the process.
        guard case .file(let range, _) = request.body, URLParts.origin(of: request.url)?.scheme == "http" else {
            return nil
        }
        do {
            return try FileBody.handle(for: range)
        } catch {
            throw TransportFailure.map(error, request: request, isKnown: false, context: context)
        }
    }

    private func message(
        for request: HTTPRequest,
        file: NIOFileHandle?,
        sent: SentCount
    ) throws -> HTTPClient.Request {
        let body: HTTPClient.Body? =
            switch request.body {
            case .none: nil
            case .bytes(let bytes): .bytes(bytes)
            case .file(let range, _) where range.byteCount == 0: .bytes([])
            case .file(let range, let hear):
                .stream(contentLength: range.byteCount) { [writeTimeout] writer in
                    let body = FileBody(range: range, handle: file, pieceTimeout: writeTimeout) {
                        sent.set($0)
                        hear($0)
                    }
                    return body.send(through: writer, on: MultiThreadedEventLoopGroup.singleton.any())
                }
            }
        var headers = request.headers
        headers.replaceOrAdd(name: "User-Agent", value: Self.userAgent)
        // A layer is compressed already, and its digest is of the bytes as they are stored.
        headers.replaceOrAdd(name: "Accept-Encoding", value: "identity")
        let url = URLParts.legal(request.url)
        let isInsecure = !insecureOrigins.isEmpty && URLParts.origin(of: url).map(insecureOrigins.contains) ?? false
        return try HTTPClient.Request(
            url: url,
            method: request.method,
            headers: headers,
            body: body,
            tlsConfiguration: isInsecure ? insecureTLS : nil
        )
    }

    private static func settings(
        _ configuration: RegistryClient.Configuration,
        tls: TLSConfiguration,
        answerTimeout: Duration
    ) -> HTTPClient.Configuration {
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls,
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(configuration.connectTimeout),
                read: TimeAmount(answerTimeout),
                write: TimeAmount(configuration.idleTimeout)
            ),
            decompression: .disabled
        )
        // Large blobs gain nothing from HTTP/2's windows and lose to them.
        settings.httpVersion = .http1Only
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.requestLimit
        // Without this a refused connection or an untrusted certificate is tried until the time-out.
        settings.connectionPool.retryConnectionEstablishment = false
        // Shorter than what servers keep, so that a connection is rarely found closed.
        settings.connectionPool.idleTimeout = .seconds(15)
        // The default of 64 KiB costs a third more processor time on a large blob; small answers stay small.
        settings.http1_1ConnectionDebugInitializer = { channel in
            let allocator = AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 262_144)
            return channel.setOption(.recvAllocator, value: allocator)
        }
        return settings
    }
}

/// How many bytes of a request's body have left.
private final class SentCount: Sendable {
    private let count: Atomic<Int64>
    private let hasBody: Bool

    /// Nil where there is no body.
    var value: Int64? { hasBody ? count.load(ordering: .relaxed) : nil }

    /// Begins; what is small leaves at once.
    init(of body: HTTPRequest.Body) {
        let initial: Int64? =
            switch body {
            case .none: nil
            case .bytes(let bytes): Int64(bytes.count)
            case .file: 0
            }
        hasBody = initial != nil
        count = Atomic(initial ?? 0)
    }

    func set(_ value: Int64) { count.store(value, ordering: .relaxed) }
}
