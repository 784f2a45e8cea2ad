import Foundation

extension FaultProxy {
    /// How a message is passed on.
    struct Passage: Sendable {
        /// How the body's end is told.
        enum Framing: Sendable {
            /// As it came.
            case unchanged
            /// By what is said elsewhere: the payload alone is sent.
            case bare
            /// In chunks, whatever it came in.
            case chunked
        }

        var hidesHead = false
        var framing = Framing.unchanged
        /// How much of the payload is sent at most, in bytes.
        var limit = Int.max
        /// What follows when that or the body's end is reached.
        var end = End.goesOn
        /// So many bytes at a time, and how long nothing is sent then.
        var pace: (byteCount: Int, pause: Duration)?
        /// The place of the byte that is changed.
        var flip: Int?

        /// Passes a body on.
        ///
        /// - Parameters:
        ///   - body: what comes.
        ///   - count: is told of every piece of payload before it is sent, by its length in bytes.
        ///   - send: sends, and is false where nobody is there any more.
        /// - Returns: how the connection goes on.
        func pass(_ body: consuming Body, count: (Int) -> Void, send: ([UInt8]) -> Bool) -> End {
            var (place, rest) = (0, limit)
            let flip = flip.map { min($0, (body.byteCount ?? .max) - 1) }
            let hasBody = body.byteCount != 0
            while rest > 0 {
                switch body.next(atMost: min(rest, pace?.byteCount ?? .max, 256 << 10)) {
                case .payload(var piece):
                    if let flip, piece.indices.contains(flip - place) { piece[flip - place] ^= 1 }
                    count(piece.count)
                    guard send(framing == .chunked ? HTTPRequest.chunk(piece) : piece) else { return .close }
                    (place, rest) = (place + piece.count, rest - piece.count)
                    if let pace { Thread.sleep(forTimeInterval: pace.pause / .seconds(1)) }
                case .framing(let piece):
                    guard framing != .unchanged || send(piece) else { return .close }
                case .end:
                    guard framing != .chunked || !hasBody || send(HTTPRequest.chunk([])) else { return .close }
                    return end
                case .broken:
                    return body.end
                }
            }
            return end
        }
    }
}

extension FaultProxy.Passage {
    /// How a request with that fault goes on.
    init(ofRequest fault: FaultProxy.Fault?) {
        self.init()
        switch fault {
        case .resetRequest(let count): (limit, end) = (count, .reset)
        case .stalledRequest(let count): (limit, end) = (count, .stall)
        case .drippingRequest(let count, let pause): pace = (count, pause)
        default: break
        }
    }

    /// How an answer with that fault goes on; its head is changed accordingly.
    ///
    /// - Parameters:
    ///   - fault: what is done to the answer.
    ///   - head: the answer's head.
    ///   - byteCount: how long the body is, where that is told.
    init(ofAnswer fault: FaultProxy.Fault?, head: inout FaultProxy.Head, byteCount: Int?) {
        self.init()
        switch fault {
        case .transfer(let transfer):
            self.init(transfer, head: &head)
        case .dripping(let count, let pause):
            pace = (count, pause)
        case .shortened(let count) where byteCount != 0:
            limit = min(count, byteCount ?? count)
            setLength(limit, in: &head)
        case .flipped(let place):
            flip = place
        case .http10:
            head.setVersion("HTTP/1.0")
            head.set("Connection", to: nil)
            head.set("Transfer-Encoding", to: nil)
            (framing, end) = (.bare, .close)
        default:
            break
        }
    }

    /// How an answer is sent in that way; its head is changed accordingly.
    init(_ transfer: Answer.Transfer, head: inout FaultProxy.Head) {
        self.init()
        switch transfer {
        case .whole:
            break
        case .chunked:
            head.set("Content-Length", to: nil)
            head.set("Transfer-Encoding", to: "chunked")
            framing = .chunked
        case .untilClose:
            head.set("Connection", to: "close")
            setLength(nil, in: &head)
            end = .close
        case .declaring(let length):
            setLength(length, in: &head)
            end = .close
        case .truncated(let count): (limit, end) = (count, .close)
        case .reset(let count): (limit, end) = (count, .reset)
        case .stalled(let count): (limit, end) = (count, .stall)
        case .dripping: (pace, end) = ((1, .milliseconds(200)), .close)
        case .closedBeforeHead: (hidesHead, limit, end) = (true, 0, .close)
        case .resetBeforeHead: (hidesHead, limit, end) = (true, 0, .reset)
        case .stalledBeforeHead: (hidesHead, limit, end) = (true, 0, .stall)
        case .raw: (hidesHead, framing, end) = (true, .bare, .close)
        }
    }

    private mutating func setLength(_ byteCount: Int?, in head: inout FaultProxy.Head) {
        head.set("Content-Length", to: byteCount.map { "\($0)" })
        head.set("Transfer-Encoding", to: nil)
        framing = .bare
    }
}
