import Foundation
import Synchronization

extension FaultProxy {
    /// What comes on a connection, taken piece by piece; by one thread at a time.
    final class ByteStream: Sendable {
        let descriptor: Int32
        private let buffer: Mutex<ArraySlice<UInt8>>
        private let state = Mutex<End?>(nil)

        /// Takes a connection, which is closed when nobody has the stream any more.
        init(_ descriptor: Int32) {
            self.descriptor = descriptor
            buffer = Mutex([])
        }

        /// Takes bytes that are all there is.
        init(_ bytes: [UInt8]) {
            descriptor = -1
            buffer = Mutex(bytes[...])
        }

        deinit {
            if descriptor >= 0 { close(descriptor) }
        }

        /// How the peer ended the connection; nil while there is more to come.
        var end: End? { state.withLock { $0 } }

        /// The next bytes, at least one; nil where the peer has ended the connection.
        func read(atMost limit: Int) -> [UInt8]? {
            while true {
                let piece = buffer.withLock { buffer in
                    let piece = Array(buffer.prefix(limit))
                    buffer = buffer.dropFirst(piece.count)
                    return piece
                }
                if !piece.isEmpty { return piece }
                guard receive() else { return nil }
            }
        }

        /// The bytes up to a separator, with it; nil where the peer has ended the connection before.
        func read(through separator: String) -> [UInt8]? {
            let separator = Array(separator.utf8)
            while true {
                let piece: [UInt8]? = buffer.withLock { buffer in
                    guard let range = buffer.firstRange(of: separator) else { return nil }
                    defer { buffer = buffer[range.upperBound...] }
                    return Array(buffer[..<range.upperBound])
                }
                if let piece { return piece }
                guard receive() else { return nil }
            }
        }

        /// The head of a message, with the empty line.
        func readHead() -> Head? { read(through: "\r\n\r\n").map(Head.init) }

        private func receive() -> Bool {
            errno = 0
            guard descriptor >= 0, let more = LoopbackSocket.receive(from: descriptor) else {
                let end: End = errno == 0 ? .close : .reset
                state.withLock { $0 = end }
                return false
            }
            buffer.withLock { $0 += more }
            return true
        }
    }

    /// How a connection goes on, or ends.
    enum End: Sendable {
        case goesOn
        case close
        case reset
        /// Nothing is sent or read until the peer gives up.
        case stall
    }
}
