import NIOCore
import NIOHTTP1

/// A client sent nothing for longer than the idle time-out, in the middle of a request.
struct StalledConnection: Error {}

/// Ends connections on which nothing moves although the client is the one to move it.
///
/// It does not count the time in which the server works on a request, or in which it takes nothing because the disk is
/// slow. A request's head has to arrive whole within the time-out: only then is it seen here.
final class IdleHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let timeout: TimeAmount
    private var lastMove = NIODeadline.now()
    private var timer: Scheduled<Void>?
    /// Whether a read was asked for that has brought no part of a request yet.
    private var awaitsRead = false
    /// The writes that have not left yet.
    private var writesInFlight = 0
    /// Whether a request has begun whose last byte has not come.
    private var isReceiving = false
    /// Requests that have come whole, less those that were answered; negative where one was answered before it had come.
    private var answersOwed = 0

    init(timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { startTimer(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        startTimer(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func read(context: ChannelHandlerContext) {
        if !awaitsRead { moved() }
        awaitsRead = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        moved()
        awaitsRead = false
        switch Self.unwrapInboundIn(data) {
        case .head: isReceiving = true
        case .body: break
        case .end:
            isReceiving = false
            answersOwed += 1
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        moved()
        writesInFlight += 1
        let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.writesInFlight -= 1
            self.moved()
        }
        if case .end = Self.unwrapOutboundIn(data) { answersOwed -= 1 }
        context.write(data, promise: promise)
    }

    private func moved() { lastMove = .now() }

    private func startTimer(_ context: ChannelHandlerContext) {
        moved()
        schedule(context, at: lastMove + timeout)
    }

    private func schedule(_ context: ChannelHandlerContext, at deadline: NIODeadline) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.check(context) }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        let clientIsToMove = writesInFlight > 0 || (awaitsRead && answersOwed <= 0)
        guard clientIsToMove else { return schedule(context, at: .now() + timeout) }
        guard NIODeadline.now() >= lastMove + timeout else { return schedule(context, at: lastMove + timeout) }
        if writesInFlight == 0, isReceiving {
            // The handler of the request answers this with 408; whoever does not take that is closed next time.
            schedule(context, at: .now() + timeout)
            context.fireErrorCaught(StalledConnection())
        } else {
            context.close(promise: nil)
        }
    }
}
