import AsyncHTTPClient
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import RegistryClient

/// A connection as the HTTP client makes it, with a clock of its own: the time-out is ten seconds.
@Suite struct AnswerTimeoutTests {
    private final class Errors: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        var seen: [HTTPClientError?] = []
        func errorCaught(context: ChannelHandlerContext, error: any Error) { seen.append(error as? HTTPClientError) }
    }

    private let errors = Errors()
    private let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        try AnswerTimeoutHandler.add(to: channel, timeout: .seconds(10))
        try channel.pipeline.syncOperations.addHandler(errors)
    }

    private func ask() throws {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        try channel.writeOutbound(HTTPClientRequestPart.head(head))
        try channel.writeOutbound(HTTPClientRequestPart.end(nil))
    }

    private func answer(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    private func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    @Test func `an answer that does not come is given up`() throws {
        try ask()
        pass(9)
        #expect(errors.seen == [])
        pass(1)
        #expect(errors.seen == [.readTimeout])
    }

    @Test func `each piece of an answer gives it time`() throws {
        try ask()
        pass(9)
        try answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        for piece in ["abc", "def"] {
            pass(9)
            try answer(piece)
        }
        pass(9)
        #expect(errors.seen == [])
        pass(1)
        #expect(errors.seen == [.readTimeout])
    }

    @Test func `what drips too slowly to be a piece gives it none`() throws {
        try ask()
        pass(6)
        try answer("HTTP/1.1 200 OK\r\nContent-")
        pass(4)
        #expect(errors.seen == [.readTimeout])
    }

    @Test func `a connection without a request may wait, and its next request has all the time`() throws {
        try ask()
        try answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        pass(95)
        #expect(errors.seen == [])
        try ask()
        pass(9)
        #expect(errors.seen == [])
        pass(1)
        #expect(errors.seen == [.readTimeout])
    }

    @Test func `nothing is left of it when the connection is closed`() throws {
        try ask()
        try channel.close().wait()
        pass(100)
        #expect(errors.seen == [])
    }
}
