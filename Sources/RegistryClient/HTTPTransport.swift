import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Sends one request over one connection: no redirect, no credentials, no second try.
final class HTTPTransport: Sendable {
    private let client: HTTPClient
    /// A registry may take minutes to store a large blob after its last byte, so uploads wait longer for the answer.
    private let uploadClient: HTTPClient
    private let logger: Logger
    private let count = Atomic<Int>(0)

    /// The requests that were sent so far.
    var requestCount: Int { count.load(ordering: .relaxed) }

    init(configuration: RegistryClient.Configuration, tls: TLSConfiguration) {
        let group = MultiThreadedEventLoopGroup.singleton
        logger = configuration.logger
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
        try await uploadClient.shutdown()
        try await client.shutdown()
    }

    /// Sends a request and receives its answer.
    ///
    /// - Throws: ``RegistryError``, `CancellationError`, or what the sink of a streamed body throws.
    func send(
        _ request: HTTPRequest,
        handling: BodyHandling,
        context: RequestContext
    ) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let delegate = ResponseDelegate(handling: handling, context: context)
        let start = ContinuousClock.now
        count.add(1, ordering: .relaxed)
        do {
            let message = try message(for: request)
            let client = if case .file = request.body { uploadClient } else { client }
            let task = client.execute(request: message, delegate: delegate)
            var response = try await withTaskCancellationHandler {
                try await task.futureResult.get()
            } onCancel: {
                task.cancel()
            }
            response.url = request.url
            log(request, "\(response.status)", since: start)
            return response
        } catch is ResponseDelegate.BodyLimitReached {
            guard let response = delegate.received(url: request.url, cut: true) else { throw CancellationError() }
            log(request, "\(response.status), body cut", since: start)
            return response
        } catch {
            let mapped = TransportFailure.map(error, request: request, context: context)
            log(request, "failed", since: start)
            throw mapped
        }
    }

    private func log(_ request: HTTPRequest, _ outcome: String, since start: ContinuousClock.Instant) {
        let elapsed = ContinuousClock.now - start
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        logger.debug("\(request.name) \(outcome) \(Int(seconds * 1000)) ms")
    }

    private func message(for request: HTTPRequest) throws -> HTTPClient.Request {
        let body: HTTPClient.Body? =
            switch request.body {
            case .none: nil
            case .bytes(let bytes): .bytes(bytes)
            case .file(let range, let sent):
                .stream(contentLength: range.byteCount) { writer in
                    // sendfile moves the bytes without a copy, but a TLS connection has to see them.
                    let body = FileBody(range: range, usesSendfile: !request.url.hasPrefix("https"), sent: sent)
                    return body.send(through: writer, on: MultiThreadedEventLoopGroup.singleton.any())
                }
            }
        return try HTTPClient.Request(url: request.url, method: request.method, headers: request.headers, body: body)
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
