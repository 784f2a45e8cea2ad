import Foundation
import Synchronization

/// An HTTP/1.1 server whose every answer, and every fault, is written by the test.
///
/// It listens on a free port of 127.0.0.1, uses a thread for each connection, and remembers what it was asked. It ends
/// with the value.
package final class ScriptedRegistry: Sendable {
    /// Makes the answer to a request, on the thread of its connection.
    package typealias Handler = @Sendable (Request) -> Answer

    /// `127.0.0.1:` and the port.
    package let address: String
    private let server: Server

    /// Starts to serve.
    package init(_ handler: @escaping Handler) throws {
        let (descriptor, port) = try LoopbackSocket.listen()
        address = "127.0.0.1:\(port)"
        server = Server(listener: descriptor, handler: handler)
        // The threads hold the server, not this value: it can end, and end them.
        Thread.detachNewThread { [server] in server.acceptConnections() }
    }

    deinit { stop() }

    /// Every request so far, in the order in which they were read.
    package var requests: [Request] { server.state.withLock { $0.requests } }

    /// The most requests that were being answered at one time.
    package var peakConcurrency: Int { server.state.withLock { $0.peakConcurrency } }

    /// The connections that were made so far.
    package var connectionCount: Int { server.state.withLock { $0.connectionCount } }

    /// The requests so far as `METHOD target`, which is what most tests compare.
    package var lines: [String] { requests.map(\.line) }

    /// How many requests of a method there were, to paths that contain a text.
    package func count(_ method: String, containing text: String = "") -> Int {
        requests.count { $0.method == method && (text.isEmpty || $0.path.contains(text)) }
    }

    /// Closes the port and every connection.
    package func stop() { server.stop() }

    /// An address of this machine to which every connection is refused.
    package static func refusingAddress() throws -> String { "127.0.0.1:\(try LoopbackSocket.refusedPort())" }
}

extension ScriptedRegistry {
    /// What the threads share.
    final class Server: Sendable {
        struct State {
            var requests: [Request] = []
            var open: Set<Int32> = []
            var concurrency = 0
            var peakConcurrency = 0
            var connectionCount = 0
            var isStopped = false
        }

        let state = Mutex(State())
        private let listener: Int32
        private let handler: Handler

        init(listener: Int32, handler: @escaping Handler) {
            self.listener = listener
            self.handler = handler
        }

        func acceptConnections() {
            while true {
                let descriptor = accept(listener, nil, nil)
                if descriptor < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard descriptor >= 0, let number = begin(descriptor) else { break }
                Thread.detachNewThread {
                    Connection(descriptor: descriptor, number: number, server: self).serve()
                    self.end(descriptor)
                }
            }
            close(listener)
        }

        func stop() {
            state.withLock { state in
                guard !state.isStopped else { return }
                state.isStopped = true
                shutdown(listener, Int32(SHUT_RDWR))
                for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
            }
        }

        func answer(_ request: Request) -> Answer {
            state.withLock { state in
                state.requests.append(request)
                state.concurrency += 1
                state.peakConcurrency = max(state.peakConcurrency, state.concurrency)
            }
            defer { state.withLock { $0.concurrency -= 1 } }
            return handler(request)
        }

        private func begin(_ descriptor: Int32) -> Int? {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            // Without this the last, short segment of an answer can wait 40 ms for an acknowledgement.
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            return state.withLock { state in
                guard !state.isStopped else {
                    close(descriptor)
                    return nil
                }
                state.open.insert(descriptor)
                state.connectionCount += 1
                return state.connectionCount
            }
        }

        private func end(_ descriptor: Int32) {
            // Under the lock, so that `stop` never meets a number that belongs to somebody else by then.
            state.withLock { state in
                state.open.remove(descriptor)
                close(descriptor)
            }
        }
    }
}
