import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

/// What a client sees of a request: the version, the status and the length of the answer, its body, and what broke it.
///
/// Who expects it to stall need not wait for it for long.
func look(
    _ address: String,
    _ request: HTTPRequest = HTTPRequest("GET", "/x", headers: [("Connection", "close")]),
    expecting seen: String = ""
) async throws -> String {
    let connection = try HTTPConnection(to: address, timeout: seen.hasSuffix("stall") ? 2 : 30)
    var text = ""
    do {
        try await connection.send(request.bytes)
        let head = try await connection.receiveHead()
        let length = head.header("Content-Length").flatMap { Int($0) }
        text = "\(head.version.dropFirst(5)) \(head.status) \(length.map { "\($0)" } ?? "-") "
        while text.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)[3].utf8.count != length {
            text += String(decoding: try await connection.receive(count: 1), as: UTF8.self)
        }
        return text
    } catch let error as HTTPConnectionError {
        switch error.code {
        case .ended(let count): return text + (count == 0 ? "|end" : "|end after \(count)")
        case .timedOut: return text + "|stall"
        case .sending(ECONNRESET), .sending(EPIPE), .receiving(ECONNRESET): return text + "|reset"
        default: throw error
        }
    }
}

/// A proxy's fault, seen by a client that nobody told of it.
@Suite struct FaultProxyTests {
    private static let body = Array("abcdefgh".utf8)

    @Test(arguments: [
        (FaultProxy.Fault.transfer(.whole), "1.1 200 8 abcdefgh"),
        (.transfer(.chunked), "1.1 200 - 8\r\nabcdefgh\r\n0\r\n\r\n|end"),
        (.transfer(.untilClose), "1.1 200 - abcdefgh|end"),
        (.transfer(.declaring(3)), "1.1 200 3 abc"),
        (.transfer(.declaring(99)), "1.1 200 99 abcdefgh|end"),
        (.transfer(.truncated(after: 2)), "1.1 200 8 ab|end"),
        (.transfer(.reset(after: 2)), "1.1 200 8 ab|reset"),
        (.transfer(.reset(after: 0)), "1.1 200 8 |reset"),
        (.transfer(.stalled(after: 2)), "1.1 200 8 ab|stall"),
        (.transfer(.closedBeforeHead), "|end"),
        (.transfer(.resetBeforeHead), "|reset"),
        (.transfer(.stalledBeforeHead), "|stall"),
        (.transfer(.raw), "|end after 8"),
        (.dripping(byteCount: 3, every: .milliseconds(1)), "1.1 200 8 abcdefgh"),
        (.shortened(to: 3), "1.1 200 3 abc"),
        (.flipped(at: 2), "1.1 200 8 abbdefgh"),
        (.flipped(at: 99), "1.1 200 8 abcdefgi"),
        (.http10, "1.0 200 8 abcdefgh"),
        (.altered(answer: [("Content-Length", "9")]), "1.1 200 9 abcdefgh|end"),
        (.resetRequest(after: 0), "|reset"),
        (.refused(for: .zero), "|reset"),
    ])
    func `the answer of a registry has the fault`(fault: FaultProxy.Fault, seen: String) async throws {
        let registry = try ScriptedRegistry { _ in Answer(body: Self.body) }
        let proxy = try FaultProxy(to: registry.address) { _, _ in fault }
        #expect(try await look(proxy.address, expecting: seen) == seen)
    }

    @Test(arguments: [
        (FaultProxy.Fault.transfer(.chunked), "1.1 200 - 8\r\nabcdefgh\r\n0\r\n\r\n|end"),
        (.transfer(.untilClose), "1.1 200 - abcdefgh|end"),
        (.transfer(.declaring(3)), "1.1 200 3 abc"),
        (.transfer(.truncated(after: 2)), "1.1 200 - 8\r\nab|end"),
        (.transfer(.reset(after: 2)), "1.1 200 - 8\r\nab|reset"),
        (.shortened(to: 3), "1.1 200 3 abc"),
        (.flipped(at: 2), "1.1 200 - 8\r\nabbdefgh\r\n0\r\n\r\n|end"),
        (.http10, "1.0 200 - abcdefgh|end"),
    ])
    func `an answer in chunks has the fault`(fault: FaultProxy.Fault, seen: String) async throws {
        let registry = try ScriptedRegistry { _ in Answer(body: Self.body, transfer: .chunked) }
        let proxy = try FaultProxy(to: registry.address) { _, _ in fault }
        #expect(try await look(proxy.address, expecting: seen) == seen)
    }

    /// With how much of the request's body the proxy read.
    @Test(arguments: [
        (FaultProxy.Fault.resetRequest(after: 3), "|reset", 3), (.stalledRequest(after: 3), "|stall", 3),
        (.answer(Answer(transfer: .resetBeforeHead)), "|reset", 8),
        (.earlyAnswer(Answer(transfer: .resetBeforeHead)), "|reset", 0),
        (.earlyAnswer(Answer(transfer: .stalledBeforeHead)), "|stall", 0),
        (.lostUpload, "1.1 404 ", 8), (.tooLarge, "1.1 413 ", 0),
    ])
    func `a request that does not get through is not seen by the registry`(
        fault: FaultProxy.Fault,
        seen: String,
        byteCount: Int
    ) async throws {
        let registry = try ScriptedRegistry { _ in Answer(201) }
        let proxy = try FaultProxy(to: registry.address) { _, _ in fault }
        for framing in [HTTPRequest.Framing.length, .chunked(of: 2)] {
            let request = HTTPRequest("PUT", "/v2/app/blobs/uploads/7", body: Self.body, framing: framing)
            #expect(try await look(proxy.address, request, expecting: seen).hasPrefix(seen))
        }
        #expect(registry.requests.isEmpty)
        #expect(proxy.exchanges.map(\.requestByteCount) == [byteCount, byteCount])
    }

    @Test func `a request that drips is whole, and so is one that broke when it comes again`() async throws {
        let registry = try ScriptedRegistry { Answer(body: $0.body) }
        let proxy = try FaultProxy(to: registry.address) { _, count in
            count == 1 ? .resetRequest(after: 5) : .drippingRequest(byteCount: 3, every: .milliseconds(1))
        }
        let request = HTTPRequest("PUT", "/x", body: Self.body)
        #expect(try await look(proxy.address, request) == "|reset")
        #expect(try await look(proxy.address, request) == "1.1 200 8 abcdefgh")
        #expect(registry.lines == ["PUT /x"])
    }

    @Test func `the proxy answers by itself, as often as it is told to, and the connection is kept`() async throws {
        let registry = try ScriptedRegistry { Answer(body: $0.body) }
        let proxy = try FaultProxy(to: registry.address) { request, count in
            switch (request.path, count) {
            case ("/429", 1): .status(429, retryAfter: .seconds(7))
            case ("/429", 2): .status(429, retryAfter: .date(secondsFromNow: 100))
            case ("/range", _): .rangeNotSatisfiable(byteCount: 12)
            case ("/elsewhere", _): .redirect(request, to: "127.0.0.1:1")
            case ("/loop", _): .redirectLoop(request)
            default: count < 4 ? [500, 502, 503].map { .status($0) }[count - 1] : nil
            }
        }
        let connection = try HTTPConnection(to: proxy.address)
        var first: [HTTPAnswer] = []
        for path in ["/429", "/429", "/range", "/elsewhere?a=b", "/loop?c=d"] {
            first.append(try await connection.ask(HTTPRequest("GET", path)))
        }
        #expect(first.map(\.status) == [429, 429, 416, 307, 307])
        #expect(first[0].header("Retry-After") == "7")
        let date = try #require(first[1].header("Retry-After"))
        let environment = ["LC_ALL": "C", "TZ": "UTC"]
        let format = ["-d", date, "+%s=%a, %d %b %Y %H:%M:%S GMT"]
        let read = try await Command("date", format, environment: environment).run().outputText.split(separator: "=")
        #expect(read.last == "\(date)\n")
        #expect(try #require(Double(read[0])) > Date.now.timeIntervalSince1970)
        #expect(first[2].header("Content-Range") == "bytes */12")
        #expect(first[3].header("Location") == "http://127.0.0.1:1/elsewhere?a=b")
        #expect(first[4].header("Location") == "/loop?c=d")
        for method in ["PUT", "PATCH", "HEAD"] {
            var statuses: [Int] = []
            for _ in 0..<4 {
                let body = method == "HEAD" ? nil : Self.body
                let headers = body == nil ? [] : [("Expect", "100-continue")]
                let answer = try await connection.ask(HTTPRequest(method, "/x", headers: headers, body: body))
                #expect(answer.interim == (body == nil ? [] : [100]))
                statuses.append(answer.status)
            }
            #expect(statuses == [500, 502, 503, 200])
        }
        #expect(registry.lines == ["PUT /x", "PATCH /x", "HEAD /x"])
        #expect(proxy.connectionCount == 1)
    }

    @Test func `an answer that is too early comes before the body, and takes what is sent of it`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(201) }
        let proxy = try FaultProxy(to: registry.address) { _, _ in .tooLarge }
        for count in [0, 8 << 20] {
            let connection = try HTTPConnection(to: proxy.address)
            try await connection.send(HTTPRequest("PUT", "/x", framing: .declared(8 << 20)).head)
            let answer = try await connection.receive()
            #expect(answer.status == 413)
            #expect(answer.text.contains("SIZE_INVALID"))
            try await connection.send([UInt8](repeating: 1, count: count))
            #expect(try await connection.receiveRest().isEmpty)
        }
        #expect(registry.requests.isEmpty)
    }

    @Test func `connections are refused, for a time or until they are taken again, and those that are open stay`()
        async throws
    {
        let registry = try ScriptedRegistry { _ in Answer(body: Self.body) }
        let proxy = try FaultProxy(to: registry.address) { request, _ in
            switch request.path {
            case "/long": .refused(for: .seconds(60))
            case "/short": .refused(for: .milliseconds(20))
            default: nil
            }
        }
        let open = try HTTPConnection(to: proxy.address)
        #expect(try await open.ask(HTTPRequest("GET", "/x")).body == Self.body)
        proxy.refuseConnections()
        expectRefusal(by: proxy)
        #expect(try await open.ask(HTTPRequest("GET", "/x")).body == Self.body)
        try proxy.takeConnections()
        #expect(try await look(proxy.address) == "1.1 200 8 abcdefgh")

        #expect(try await look(proxy.address, HTTPRequest("GET", "/short")) == "|reset")
        while (try? HTTPConnection(to: proxy.address)) == nil { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try await look(proxy.address, HTTPRequest("GET", "/long")) == "|reset")
        expectRefusal(by: proxy)
        // As long as one of them lasts, the end of another changes nothing.
        proxy.refuseConnections()
        try proxy.takeConnections()
        expectRefusal(by: proxy)
        #expect(try await open.ask(HTTPRequest("GET", "/x")).body == Self.body)
        #expect(registry.lines == Array(repeating: "GET /x", count: 4))
    }

    private func expectRefusal(by proxy: FaultProxy) {
        let error = #expect(throws: SystemError.self) { try HTTPConnection(to: proxy.address) }
        #expect(error?.code == ECONNREFUSED)
    }

    @Test func `a connection is reset before anything is read, and the next is not`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(body: Self.body) }
        let proxy = try FaultProxy(to: registry.address, resetConnections: [1])
        #expect(try await look(proxy.address) == "|reset")
        #expect(try await look(proxy.address) == "1.1 200 8 abcdefgh")
        #expect(proxy.exchanges.map(\.request.connection) == [2])
    }

    @Test func `the same seed makes the same faults, as many as it is told to`() async throws {
        let asked = try await requests(
            (0..<250).flatMap { number in
                [
                    HTTPRequest("GET", "/v2/app/blobs/\(number)"),
                    HTTPRequest("PUT", "/v2/app/blobs/uploads/\(number)?digest=\(number)", body: Self.body),
                ]
            }
        )
        func decisions(seed: UInt64, percentage: Int, count: Int = 1) -> [String?] {
            let script = FaultProxy.random(seed: seed, percentage: percentage)
            return asked.map { script($0, count).map { "\($0)" } }
        }
        let once = decisions(seed: 1, percentage: 30)
        #expect((120...180).contains(once.count { $0 != nil }))
        #expect(Set(once).count > 30)
        #expect(once == decisions(seed: 1, percentage: 30))
        #expect(once != decisions(seed: 2, percentage: 30))
        #expect(once != decisions(seed: 1, percentage: 30, count: 2))
        #expect(decisions(seed: 1, percentage: 0).allSatisfy { $0 == nil })
        #expect(decisions(seed: 1, percentage: 100).allSatisfy { $0 != nil })
    }

    @Test func `a session of an upload is the same request as another for the same digest`() async throws {
        func keys(_ method: String, _ targets: String...) async throws -> Set<String> {
            Set(try await requests(targets.map { HTTPRequest(method, $0) }).map(FaultProxy.key(of:)))
        }
        let start = "/v2/a/blobs/uploads/"
        #expect(try await keys("PUT", start + "1?_state=x&digest=d", start + "2?digest=d").count == 1)
        #expect(try await keys("PATCH", start + "1", start + "2?_state=x").count == 1)
        let digests = [start + "1?digest=d", start + "1?digest=e", "/v2/b/blobs/uploads/1?digest=d", start + "1"]
        #expect(try await keys("PUT", digests[0], digests[1], digests[2], digests[3]).count == 4)
        #expect(try await keys("POST", start, start + "?mount=d&from=b", start + "?mount=e&from=b").count == 3)
        #expect(try await keys("GET", "/v2/a/tags/list?n=1", "/v2/a/tags/list?n=2").count == 2)
        #expect(try await keys("GET", start + "1") != keys("PATCH", start + "1"))
    }

    /// Requests as a server reads them.
    private func requests(_ list: [HTTPRequest]) async throws -> [Request] {
        let registry = try ScriptedRegistry { _ in Answer() }
        let connection = try HTTPConnection(to: registry.address)
        for request in list { _ = try await connection.ask(request) }
        return registry.requests
    }
}
