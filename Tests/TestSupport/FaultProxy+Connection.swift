import Foundation

extension FaultProxy {
    /// One connection of a client: requests are passed on or answered, until one of the sides ends it.
    struct Connection {
        let client: ByteStream
        let number: Int
        let server: Server

        func serve() {
            var end = End.goesOn
            while case .goesOn = end, let head = client.readHead(),
                let request = Request(head: head.text, connection: number)
            {
                end = Exchanging(connection: self, head: head, exchange: server.begin(request)).run()
            }
            // Where the client may still be sending, its end is waited for: to close before would reset the connection,
            // and the client might lose what it was sent.
            if case .close = end { while client.read(atMost: .max) != nil {} }
        }
    }

    /// One request of a connection, until the connection is free for the next or has to be closed.
    struct Exchanging {
        let connection: Connection
        let head: Head
        let exchange: Exchange

        var request: Request { exchange.request }
        var fault: Fault? { exchange.fault }
        var client: ByteStream { connection.client }
        var server: Server { connection.server }
        /// The request's body, of which nothing was read.
        var body: Body { Body(.init(of: request), of: client) }

        /// Does what the fault says.
        func run() -> End {
            switch fault {
            case .refused(let time):
                server.refuse(for: time)
                return finish(.reset)
            case .answer(let answer):
                letBodyCome()
                let end = Passage().pass(body, count: exchange.noteRequest) { _ in true }
                return end == .goesOn ? finish(send(answer)) : end
            case .earlyAnswer(let answer):
                let end = finish(send(answer))
                return end == .goesOn && body.byteCount != 0 ? finish(.close) : end
            default:
                guard let upstream = server.connect() else { return finish(.reset) }
                defer { server.end(upstream) }
                return forward(to: upstream)
            }
        }

        // MARK: - Answers of the proxy's own

        private func send(_ answer: Answer) -> End {
            var text = "HTTP/1.1 \(answer.status) Scripted\r\n"
            for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
            // 204 and 304 have no body, and a length would be wrong on them.
            if answer.status != 204, answer.status != 304 { text += "Content-Length: \(answer.body.count)\r\n" }
            var head = Head(Array((text + "\r\n").utf8))
            let passage = Passage(answer.transfer, head: &head)
            let isShown = request.method != "HEAD" || passage.hidesHead
            let body = Body(.length(isShown ? answer.body.count : 0), of: ByteStream(answer.body))
            return send(head, body, as: passage)
        }

        /// Sends an answer to the client, and says how the connection goes on.
        func send(_ head: Head, _ body: Body, as passage: Passage) -> End {
            if !passage.hidesHead {
                exchange.noteStatus(head.answer?.status ?? 0)
                guard sendToClient(head.bytes) else { return .close }
            }
            let end = passage.pass(body, count: exchange.noteAnswer, send: sendToClient)
            guard end == .goesOn, !passage.hidesHead else { return end }
            return isLast(head, body) ? .close : .goesOn
        }

        /// Whether the connection ends with an answer.
        private func isLast(_ head: Head, _ body: Body) -> Bool {
            let answer = head.answer
            if case .untilClose = body.framing, answer?.header("Transfer-Encoding") == nil { return true }
            let words = [request.header("Connection"), answer?.header("Connection")]
            return words.contains { $0?.lowercased() == "close" } || answer?.version == "HTTP/1.0"
        }

        // MARK: - The client

        /// Sees to it that the client gets what it was sent, and learns of the end.
        func finish(_ end: End) -> End {
            switch end {
            case .goesOn: break
            case .close: shutdown(client.descriptor, Int32(SHUT_WR))
            case .reset:
                client.waitUntilDelivered()
                LoopbackSocket.resetOnClose(client.descriptor)
            case .stall: client.waitForPeerToGo()
            }
            return end
        }

        func sendToClient(_ bytes: [UInt8]) -> Bool { LoopbackSocket.send(bytes, to: client.descriptor) }

        /// Tells a client that waits for it to send the body.
        func letBodyCome() {
            guard request.header("Expect")?.lowercased() == "100-continue" else { return }
            _ = sendToClient(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
    }
}
