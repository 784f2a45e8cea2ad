import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import OCI
import Synchronization

/// Sends one request over one connection, where its host may be disturbed: no redirect, no credentials, no second try.
final class HTTPTransport: Sendable {
    /// What Drayage calls itself.
    private static let userAgent = "drayage/\(Version.current) (linux; \(Version.architecture))"

    private let clients: HTTPClients
    private let trust: TrustStore
    private let proxies: ProxySettings
    private let connectTimeout: TimeAmount
    private let writeTimeout: TimeAmount
    private let log: RequestLog
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

    /// Prepares to send; connections are made with the first requests.
    ///
    /// - Throws: ``TrustError`` for a bad file of certificates that are trusted everywhere.
    init(configuration: RegistryClient.Configuration) throws(TrustError) {
        hosts = HostGates(clock: configuration.retryClock)
        log = RequestLog(logger: configuration.logger)
        connectTimeout = TimeAmount(configuration.connectTimeout)
        writeTimeout = TimeAmount(configuration.idleTimeout)
        trust = try TrustStore(configuration)
        proxies = configuration.proxies
        clients = HTTPClients(configuration)
    }

    /// Closes all connections.
    func shutdown() async throws {
        var failure: (any Error)?
        do {
            try await clients.shutdown()
        } catch {
            failure = error
        }
        // Only now, as a connection might have read from one.
        for file in abandonedFiles.withLock({ $0 }) { try file.close() }
        if let failure { throw failure }
    }

    /// Finds out whether there is a way to the host of a URL.
    ///
    /// - Throws: ``TrustError`` where a file of certificates for it cannot be used, ``ProxyError`` where its proxy cannot.
    func checkRoute(to url: String) throws {
        if let origin = URLParts.origin(of: url) { _ = try Route(to: origin, trust: trust, proxies: proxies) }
    }

    /// Whether the certificate of the host of a URL is verified.
    func isVerified(_ url: String) -> Bool { URLParts.origin(of: url).map(trust.isVerified) ?? true }

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
        try hosts.pass(request.origin)
        let route = try route(of: request, context: context)
        let delegate = ResponseDelegate(handling: handling)
        let start = ContinuousClock.now
        count.add(1, ordering: .relaxed)
        let file = try Self.file(for: request, context: context)
        let sent = SentCount(of: request.body)
        do {
            let message = try message(for: request, file: file, over: route, turns: delegate.turns, sent: sent)
            // A body that still waits is nobody's then.
            defer { delegate.turns.end(CancellationError()) }
            var response = try await clients.withClients(for: route) { clients in
                try await execute(message, clients.client(for: request.body), delegate)
            }
            if let failure = ProxyFailure(response, route) { throw failure.error(request, context) }
            response.url = request.url.text
            response.hint = AnswerHint.text(for: response, over: route)
            hosts.note(&response, to: request, context: context)
            // A refusal may come before the last piece has left.
            if (200..<300).contains(response.status), !response.bodyWasCut { try file?.close() } else { abandon(file) }
            log.note(
                request,
                "\(response.status)\(response.bodyWasCut ? ", body cut" : "")",
                headers: response.headers,
                sent: sent.value,
                received: delegate.receivedCount,
                since: start
            )
            return response
        } catch {
            abandon(file)
            let isKnown = hosts.hasAnswered(request.origin)
            let mapped =
                if let failure = await ProxyFailure(error, route, isKnown: isKnown, timeout: connectTimeout) {
                    failure.error(request, context) as any Error
                } else {
                    TransportFailure.map(error, request: request, isKnown: isKnown, context: context)
                }
            // What a proxy was asked of itself ends early then.
            if mapped is RegistryError { try Task.checkCancellation() }
            let outcome = mapped is BlobDownload.PieceEnded ? "read as far as needed" : "failed"
            log.note(request, outcome, sent: sent.value, received: delegate.receivedCount, since: start)
            throw mapped
        }
    }

    private func route(of request: HTTPRequest, context: RequestContext) throws -> Route {
        guard let origin = request.origin else {
            throw RegistryError(.other, context, request: request.name, reason: "it is no http or https URL of a host")
        }
        do {
            return try Route(
                to: origin,
                sentBy: request.registry,
                isAnonymous: request.isAnonymous,
                trust: trust,
                proxies: proxies
            )
        } catch let error as TrustError {
            throw RegistryError(.unusableCertificates, context, request: request.name, reason: error.description)
        } catch let error as ProxyError {
            throw RegistryError(.unusableProxy, context, request: request.name, reason: error.description)
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
        guard case .file(let range, _) = request.body, request.origin?.scheme == "http" else { return nil }
        do {
            return try FileBody.handle(for: range)
        } catch {
            throw TransportFailure.map(error, request: request, isKnown: false, context: context)
        }
    }

    private func message(
        for request: HTTPRequest,
        file: NIOFileHandle?,
        over route: Route,
        turns: WriteTurns,
        sent: SentCount
    ) throws -> HTTPClient.Request {
        let body: HTTPClient.Body? =
            switch request.body {
            case .none: nil
            case .bytes(let bytes): .bytes(bytes)
            case .file(let range, _) where range.byteCount == 0: .bytes([])
            case .relay(let relay, let hear):
                .stream(contentLength: Int64(relay.range.count)) { [writeTimeout] writer in
                    let loop = MultiThreadedEventLoopGroup.singleton.any()
                    return relay.send(through: writer, on: loop, writeTimeout: writeTimeout) {
                        sent.set($0)
                        hear($0)
                    }
                }
            case .file(let range, let hear):
                .stream(contentLength: range.byteCount) { [writeTimeout] writer in
                    let body = FileBody(range: range, handle: file, pieceTimeout: writeTimeout, turns: turns) {
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
        var url = URLParts.legal(request.url.text)
        if let proxy = route.forwardingProxy {
            // The proxy is what is connected to, and takes this header for itself.
            headers.replaceOrAdd(name: "Host", value: route.origin.authority)
            if let credentials = proxy.credentials {
                headers.replaceOrAdd(name: "Proxy-Authorization", value: "Basic \(credentials)")
            }
            // tinyproxy ends each connection after its answer without having said so, and the next request would be lost.
            headers.replaceOrAdd(name: "Connection", value: "close")
            url = URLParts.replacingAuthority(of: url, with: proxy.description)
        }
        return try HTTPClient.Request(url: url, method: request.method, headers: headers, body: body)
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
            case .file, .relay: 0
            }
        hasBody = initial != nil
        count = Atomic(initial ?? 0)
    }

    func set(_ value: Int64) { count.store(value, ordering: .relaxed) }
}
