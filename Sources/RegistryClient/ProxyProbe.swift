import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks a proxy for a connection only to learn what it answers: the HTTP client says no more than that it did not like it.
enum ProxyProbe {
    /// The status with which a proxy answers a request to connect to a host.
    ///
    /// - Parameters:
    ///   - proxy: the proxy.
    ///   - authority: the host and the port.
    ///   - timeout: how long it may take; more than a few seconds it never does.
    /// - Returns: the status; nil where there was no answer.
    static func status(
        of proxy: ProxyAddress,
        connectingTo authority: String,
        timeout: TimeAmount
    ) async -> HTTPResponseStatus? {
        let timeout = min(timeout, .seconds(10))
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let answer = loop.makePromise(of: HTTPResponseStatus?.self)
        var head = HTTPRequestHead(version: .http1_1, method: .CONNECT, uri: authority)
        head.headers.add(name: "Host", value: authority)
        if let credentials = proxy.credentials {
            head.headers.add(name: "Proxy-Authorization", value: "Basic \(credentials)")
        }
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelInitializer { [head] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(StatusHandler(head, answer))
                }
            }
        bootstrap.connect(host: proxy.host, port: proxy.port).whenComplete { result in
            switch result {
            case .success(let channel):
                channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
                answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
            case .failure: answer.succeed(nil)
            }
        }
        // It never fails: where there is no answer, the end of the connection tells.
        return await withTaskCancellationHandler {
            (try? await answer.futureResult.get()) ?? nil
        } onCancel: {
            answer.succeed(nil)
        }
    }
}

/// Sends a head and tells the status of the answer.
private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let answer: EventLoopPromise<HTTPResponseStatus?>

    init(_ head: HTTPRequestHead, _ answer: EventLoopPromise<HTTPResponseStatus?>) {
        self.head = head
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        answer.succeed(head.status)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// The last that it hears; what was told before stays.
    func handlerRemoved(context: ChannelHandlerContext) { answer.succeed(nil) }
}
