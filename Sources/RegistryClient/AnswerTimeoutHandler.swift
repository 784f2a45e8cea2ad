import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Ends a request of whose answer nothing has come for longer than the idle time-out.
///
/// The HTTP client would do that itself, with a timer that it makes anew for each request and each piece of an answer: a
/// thirtieth of the time of small ones. Here a connection has one, which looks from time to time when anything moved last.
final class AnswerTimeoutHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    private let timeout: TimeAmount
    /// Whether there is a request whose answer has not come whole.
    private var isWaiting = false
    private var lastMove = NIODeadline.uptimeNanoseconds(0)
    private var timer: Scheduled<Void>?

    private init(timeout: TimeAmount) { self.timeout = timeout }

    /// Adds one to a connection of the HTTP client, where it sees what that sees.
    static func add(to channel: any Channel, timeout: TimeAmount) throws {
        let pipeline = channel.pipeline.syncOperations
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
        try pipeline.addHandler(AnswerTimeoutHandler(timeout: timeout), position: .after(decoder))
    }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context, in: timeout) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        isWaiting = true
        lastMove = context.eventLoop.now
        context.write(data, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = Self.unwrapInboundIn(data) { isWaiting = false }
        lastMove = context.eventLoop.now
        context.fireChannelRead(data)
    }

    private func schedule(_ context: ChannelHandlerContext, in delay: TimeAmount) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.check(context) }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        let idle = context.eventLoop.now - lastMove
        guard !isWaiting || idle >= timeout else { return schedule(context, in: timeout - idle) }
        schedule(context, in: timeout)
        if isWaiting { context.fireErrorCaught(HTTPClientError.readTimeout) }
    }
}
