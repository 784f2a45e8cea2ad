import Foundation

extension FaultProxy {
    /// The body of a message as it comes, part by part.
    struct Body: Sendable {
        /// How the body's end is told.
        enum Framing: Sendable {
            case length(Int)
            case chunked
            case untilClose

            static let none = length(0)
        }

        /// What came.
        enum Part {
            case payload([UInt8])
            /// What a transfer coding has besides.
            case framing([UInt8])
            case end
            /// The peer ended the connection in the middle.
            case broken
        }

        private enum Phase {
            /// So much is to come, of the body or, with `true`, of a chunk.
            case payload(Int, isChunk: Bool)
            case rest
            case chunkHead
            case trailer
            case end
        }

        let framing: Framing
        private let stream: ByteStream
        private var phase: Phase

        /// Takes what follows on a stream.
        init(_ framing: Framing, of stream: ByteStream) {
            self.framing = framing
            self.stream = stream
            phase =
                switch framing {
                case .length(let count): .payload(count, isChunk: false)
                case .chunked: .chunkHead
                case .untilClose: .rest
                }
        }

        /// How long the body is; nil where that is not told before.
        var byteCount: Int? {
            guard case .length(let count) = framing else { return nil }
            return count
        }

        /// How the connection ended, where the body is broken: nonsense counts as an end.
        var end: End { stream.end ?? .close }

        /// The next part, with at most so many bytes of payload.
        mutating func next(atMost limit: Int) -> Part {
            switch phase {
            case .payload(0, false), .end:
                return .end
            case .payload(0, true):
                return readLine { _ in .chunkHead }
            case .payload(let count, let isChunk):
                guard let piece = stream.read(atMost: min(limit, count)) else { return .broken }
                phase = .payload(count - piece.count, isChunk: isChunk)
                return .payload(piece)
            case .rest:
                if let piece = stream.read(atMost: limit) { return .payload(piece) }
                return stream.end == .reset ? .broken : .end
            case .chunkHead:
                return readLine { line in
                    let digits = String(decoding: line.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
                    let count = Int(digits.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16)
                    return count.map { $0 == 0 ? .trailer : .payload($0, isChunk: true) }
                }
            case .trailer:
                return readLine { $0.count == 2 ? .end : .trailer }
            }
        }

        private mutating func readLine(then next: ([UInt8]) -> Phase?) -> Part {
            guard let line = stream.read(through: "\r\n"), let phase = next(line) else { return .broken }
            self.phase = phase
            return .framing(line)
        }
    }
}

extension FaultProxy.Body.Framing {
    /// Of a request.
    init(of request: Request) {
        self.init(coding: request.header("Transfer-Encoding"), length: request.header("Content-Length"), else: .none)
    }

    /// Of the answer to a request.
    init(of answer: HTTPAnswer, to request: Request) {
        let hasNone = request.method == "HEAD" || answer.status == 204 || answer.status == 304
        if hasNone {
            self = .none
        } else {
            self.init(
                coding: answer.header("Transfer-Encoding"),
                length: answer.header("Content-Length"),
                else: .untilClose
            )
        }
    }

    private init(coding: String?, length: String?, else other: Self) {
        if coding?.lowercased() == "chunked" {
            self = .chunked
        } else {
            self = length.flatMap { Int($0) }.map { .length($0) } ?? other
        }
    }
}
