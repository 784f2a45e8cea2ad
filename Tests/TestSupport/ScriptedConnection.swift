import Foundation

extension ScriptedRegistry {
    /// One connection: requests are read, answers are sent, until one of the sides ends it.
    struct Connection {
        let descriptor: Int32
        let number: Int
        let server: Server
        private var buffer: [UInt8] = []

        init(descriptor: Int32, number: Int, server: Server) {
            self.descriptor = descriptor
            self.number = number
            self.server = server
        }

        func serve() {
            var connection = self
            while let request = connection.readRequest() {
                let answer = server.answer(request)
                guard send(answer, to: request), request.header("Connection")?.lowercased() != "close" else { break }
            }
        }

        // MARK: - Reading

        private mutating func readRequest() -> Request? {
            guard let head = read(until: Array("\r\n\r\n".utf8)),
                var request = Request(head: String(decoding: head, as: UTF8.self), connection: number)
            else { return nil }
            if request.header("Expect")?.lowercased() == "100-continue" {
                _ = LoopbackSocket.send("HTTP/1.1 100 Continue\r\n\r\n".utf8, to: descriptor)
            }
            if request.header("Transfer-Encoding")?.lowercased() == "chunked" {
                guard let body = readChunks() else { return nil }
                request.body = body
            } else if let length = request.header("Content-Length").flatMap({ Int($0) }) {
                guard let body = read(count: length) else { return nil }
                request.body = body
            }
            return request
        }

        private mutating func readChunks() -> [UInt8]? {
            var body: [UInt8] = []
            while let line = read(until: Array("\r\n".utf8)) {
                let digits = String(decoding: line.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
                guard let count = Int(digits, radix: 16), let chunk = read(count: count) else { return nil }
                body += chunk
                guard read(until: Array("\r\n".utf8)) != nil else { return nil }
                if count == 0 { return body }
            }
            return nil
        }

        /// The bytes before a separator, which is taken away as well.
        private mutating func read(until separator: [UInt8]) -> [UInt8]? {
            while true {
                if let range = buffer.firstRange(of: separator) {
                    defer { buffer.removeFirst(range.upperBound) }
                    return Array(buffer[..<range.lowerBound])
                }
                guard let more = LoopbackSocket.receive(from: descriptor) else { return nil }
                buffer += more
            }
        }

        private mutating func read(count: Int) -> [UInt8]? {
            while buffer.count < count {
                guard let more = LoopbackSocket.receive(from: descriptor) else { return nil }
                buffer += more
            }
            defer { buffer.removeFirst(count) }
            return Array(buffer[..<count])
        }

        // MARK: - Sending

        /// Sends an answer; false where the connection is to be closed.
        private func send(_ answer: Answer, to request: Request) -> Bool {
            let body = request.method == "HEAD" ? [] : answer.body
            switch answer.transfer {
            case .whole:
                return send(head(answer, length: answer.body.count) + body)
            case .chunked:
                return send(head(answer, extra: "Transfer-Encoding: chunked\r\n") + chunks(body, of: request))
            case .untilClose:
                _ = send(head(answer, extra: "Connection: close\r\n") + body)
            case .declaring(let length):
                _ = send(head(answer, length: length) + body)
            case .truncated(let count):
                _ = send(head(answer, length: answer.body.count) + body.prefix(count))
            case .reset(let count):
                _ = send(head(answer, length: answer.body.count) + body.prefix(count))
                LoopbackSocket.resetOnClose(descriptor)
            case .stalled(let count):
                _ = send(head(answer, length: answer.body.count) + body.prefix(count))
                waitForPeerToGo()
            case .dripping:
                var isThere = send(head(answer, length: answer.body.count))
                for byte in answer.body where isThere {
                    isThere = send([byte])
                    Thread.sleep(forTimeInterval: 0.2)
                }
            case .closedBeforeHead:
                break
            case .resetBeforeHead:
                LoopbackSocket.resetOnClose(descriptor)
            case .stalledBeforeHead:
                waitForPeerToGo()
            case .raw:
                _ = send(answer.body)
            }
            return false
        }

        private func send(_ bytes: some Collection<UInt8>) -> Bool { LoopbackSocket.send(bytes, to: descriptor) }

        private func head(_ answer: Answer, length: Int? = nil, extra: String = "") -> [UInt8] {
            var text = "HTTP/1.1 \(answer.status) Scripted\r\n"
            for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
            // 204 and 304 have no body, and a length would be wrong on them.
            if let length, answer.status != 204, answer.status != 304 { text += "Content-Length: \(length)\r\n" }
            return Array((text + extra + "\r\n").utf8)
        }

        private func chunks(_ body: [UInt8], of request: Request) -> [UInt8] {
            guard request.method != "HEAD" else { return [] }
            var result: [UInt8] = []
            for start in stride(from: 0, to: body.count, by: 16 << 10) {
                let chunk = body[start...].prefix(16 << 10)
                result += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + Array("\r\n".utf8)
            }
            return result + Array("0\r\n\r\n".utf8)
        }

        private func waitForPeerToGo() { while LoopbackSocket.receive(from: descriptor) != nil {} }
    }
}
