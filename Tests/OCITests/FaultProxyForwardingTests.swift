import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

/// What passes a proxy that has no fault to make.
@Suite struct FaultProxyForwardingTests {
    @Test func `an answer passes byte for byte, whatever is in its head`() async throws {
        let head = "HTTP/1.1 200 as it  is\r\nx-ODD:no space\r\nX-Odd:   three\r\nSet-Cookie: \u{fc}\r\n"
        let bytes = Array("\(head)Link: </v2/x>; rel=\"next\"\r\nContent-Length: 3\r\n\r\n".utf8) + [0xff, 0, 10]
        // No text in UTF-8.
        let odd = bytes.map { $0 == 0xbc ? 0xfe : $0 }
        let registry = try ScriptedRegistry { _ in .raw(odd) }
        let proxy = try FaultProxy(to: registry.address)
        let connection = try HTTPConnection(to: proxy.address)
        try await connection.send(HTTPRequest("GET", "/x", headers: [("Connection", "close")]).bytes)
        #expect(try await connection.receiveRest() == odd)
        #expect(proxy.exchanges.map(\.status) == [200])
    }

    @Test func `a request passes with its head, its body and its Host`() async throws {
        let registry = try ScriptedRegistry { Answer(body: $0.body) }
        let proxy = try FaultProxy(to: registry.address)
        let body = RandomBytes.make(count: 100_000, seed: 1)
        let connection = try HTTPConnection(to: proxy.address)
        for framing in [HTTPRequest.Framing.length, .chunked(of: 777), .chunked(of: 200_000)] {
            let headers = [("X-Odd", "a"), ("x-odd", "b"), ("Range", "bytes=0-1"), ("Expect", "100-continue")]
            let request = HTTPRequest("PATCH", "/v2/a?b=%2F&c", headers: headers, body: body, framing: framing)
            try await connection.send(request.head)
            #expect(try await connection.receiveHead().status == 100)
            try await connection.send(request.framedBody)
            #expect(try await connection.receive().body == body)
            let got = try #require(registry.requests.last)
            #expect(got.line == "PATCH /v2/a?b=%2F&c")
            #expect(got.body == body)
            #expect(got.header("Host") == "registry.test")
            #expect(got.headers.dropFirst().prefix(4).map(\.name) == headers.map(\.0))
            #expect(got.headers.dropFirst().prefix(4).map(\.value) == headers.map(\.1))
        }
        #expect(proxy.exchanges.map(\.requestByteCount) == [100_000, 100_000, 100_000])
        #expect(proxy.exchanges.map(\.answerByteCount) == [100_000, 100_000, 100_000])
        #expect(proxy.connectionCount == 1)
    }

    @Test func `a connection is kept over answers of every form, also when requests do not wait for them`() async throws
    {
        let registry = try ScriptedRegistry { request in
            switch request.path {
            case "/chunked": Answer(body: Array("two".utf8), transfer: .chunked)
            case "/none": Answer(204)
            case "/unchanged": Answer(304)
            case "/large": Answer(body: RandomBytes.make(count: 3 << 20, seed: 2))
            default: Answer(404, body: Array("one".utf8))
            }
        }
        let proxy = try FaultProxy(to: registry.address)
        let connection = try HTTPConnection(to: proxy.address)
        let list = [("GET", "/"), ("HEAD", "/"), ("GET", "/none"), ("DELETE", "/unchanged"), ("GET", "/large")]
        try await connection.send(list.flatMap { HTTPRequest($0.0, $0.1).bytes })
        var answers: [HTTPAnswer] = []
        for (method, _) in list { answers.append(try await connection.receive(toHEAD: method == "HEAD")) }
        #expect(answers.map(\.status) == [404, 404, 204, 304, 200])
        #expect(answers.map(\.body.count) == [3, 0, 0, 0, 3 << 20])
        #expect(answers[4].body == RandomBytes.make(count: 3 << 20, seed: 2))
        try await connection.send(HTTPRequest("GET", "/chunked").bytes)
        #expect(try await connection.receiveHead().header("Transfer-Encoding") == "chunked")
        #expect(try await connection.receive(count: 13) == Array("3\r\ntwo\r\n0\r\n\r\n".utf8))
        #expect(try await connection.ask(HTTPRequest("GET", "/")).text == "one")
        #expect(proxy.exchanges.map(\.request.connection) == Array(repeating: 1, count: 7))
    }

    @Test func `where the registry names itself, the client comes back to the proxy`() async throws {
        let own = Mutex("")
        let registry = try ScriptedRegistry { request in
            let own = own.withLock { $0 }
            return Answer(202)
                .with("Location", "http://\(own)/v2/a?x=1")
                .with("Link", "<http://\(own)/v2/b>; rel=\"next\"")
                .with("X-Other", "http://\(own)/v2/")
        }
        own.withLock { $0 = registry.address }
        let proxy = try FaultProxy(to: registry.address)
        let answer = try await HTTPConnection(to: proxy.address).ask(HTTPRequest("GET", "/"))
        #expect(answer.header("Location") == "http://registry.test/v2/a?x=1")
        #expect(answer.header("Link") == "<http://registry.test/v2/b>; rel=\"next\"")
        #expect(answer.header("X-Other") == "http://\(registry.address)/v2/")
        own.withLock { $0 = registry.address + "1" }
        let other = try await HTTPConnection(to: proxy.address).ask(HTTPRequest("GET", "/"))
        #expect(other.header("Location") == "http://\(registry.address)1/v2/a?x=1")
    }

    @Test func `a challenge names the token server by the host that the client asked`() async throws {
        let registry = try ScriptedRegistry(TokenIssuer().guarding { _ in Answer() })
        let proxy = try FaultProxy(to: registry.address)
        let answer = try await HTTPConnection(to: proxy.address).ask(HTTPRequest("GET", "/v2/"))
        #expect(answer.header("WWW-Authenticate")?.contains("realm=\"http://registry.test/token\"") == true)
    }

    @Test(arguments: [
        (Answer.Transfer.reset(after: 3), "1.1 200 8 abc|reset"), (.truncated(after: 3), "1.1 200 8 abc|end"),
        (.stalled(after: 3), "1.1 200 8 abc|stall"), (.untilClose, "1.1 200 - abcdefgh|end"),
        (.resetBeforeHead, "|reset"), (.closedBeforeHead, "|end"),
    ])
    func `a fault of the registry's own passes as it is`(transfer: Answer.Transfer, seen: String) async throws {
        let registry = try ScriptedRegistry { _ in Answer(body: Array("abcdefgh".utf8), transfer: transfer) }
        let proxy = try FaultProxy(to: registry.address)
        #expect(try await look(proxy.address, expecting: seen) == seen)
    }

    @Test func `a registry that has gone is a connection that is reset`() async throws {
        let proxy = try FaultProxy(to: ScriptedRegistry.refusingAddress())
        #expect(try await look(proxy.address) == "|reset")
    }

    @Test func `a client that goes in the middle of a body takes its request with it`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(201) }
        let proxy = try FaultProxy(to: registry.address)
        let connection = try HTTPConnection(to: proxy.address)
        try await connection.send(HTTPRequest("PUT", "/x", framing: .declared(10)).head + [1, 2, 3])
        connection.finishSending()
        #expect(try await connection.receiveRest().isEmpty)
        #expect(registry.connectionCount == 1)
        #expect(registry.requests.isEmpty)
    }

    @Test func `a request that stalls holds no other up`() async throws {
        let registry = try ScriptedRegistry { Answer(body: $0.body) }
        let proxy = try FaultProxy(to: registry.address) { request, _ in
            request.path == "/stalled" ? .transfer(.stalledBeforeHead) : nil
        }
        let stalled = try HTTPConnection(to: proxy.address)
        try await stalled.send(HTTPRequest("GET", "/stalled").bytes)
        try await withThrowingTaskGroup { group in
            for seed in 1...16 as ClosedRange<UInt64> {
                group.addTask {
                    let connection = try HTTPConnection(to: proxy.address)
                    for part in 0..<4 as Range<UInt64> {
                        let body = RandomBytes.make(count: 300_000, seed: seed * 4 + part)
                        #expect(try await connection.ask(HTTPRequest("PUT", "/\(seed)", body: body)).body == body)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(proxy.connectionCount == 17)
        proxy.stop()
        #expect(try await stalled.receiveRest().isEmpty)
    }
}
