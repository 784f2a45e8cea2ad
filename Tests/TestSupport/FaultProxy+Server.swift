import Foundation

extension FaultProxy {
    /// What the threads share.
    final class Server: Sendable {
        struct Asked: Sendable {
            var exchanges: [Exchange] = []
            var counts: [String: Int] = [:]
        }

        struct State: Sendable {
            var listener: Int32?
            var refusals = 0
            var open: [ObjectIdentifier: ByteStream] = [:]
            var connectionCount = 0
            var isStopped = false
        }

        let asked = Guarded(Asked())
        let state = Guarded(State())
        let upstream: String
        private let port: Port
        private let resetConnections: Set<Int>
        private let script: Script

        init(port: Port, upstream: String, resetConnections: Set<Int>, script: @escaping Script) {
            self.port = port
            self.upstream = upstream
            self.resetConnections = resetConnections
            self.script = script
        }

        // MARK: - Listening

        func listen() throws {
            let listener: Int32? = try state.withLock { state in
                guard !state.isStopped, state.refusals == 0, state.listener == nil else { return nil }
                state.listener = try port.listen()
                return state.listener
            }
            guard let listener else { return }
            Thread.detachNewThread { self.takeConnections(of: listener) }
        }

        func refuse() {
            let listener = state.withLock { state in
                state.refusals += 1
                return state.listener.take()
            }
            end(listener: listener)
        }

        func endRefusal() throws {
            state.withLock { $0.refusals -= 1 }
            try listen()
        }

        func refuse(for time: Duration) {
            refuse()
            Thread.detachNewThread {
                Thread.sleep(forTimeInterval: time / .seconds(1))
                // The port is ours; should it fail still, connections stay refused, which no test overlooks.
                try? self.endRefusal()
            }
        }

        func stop() {
            let (listener, streams) = state.withLock { state in
                state.isStopped = true
                return (state.listener.take(), Array(state.open.values))
            }
            end(listener: listener)
            for stream in streams { shutdown(stream.descriptor, Int32(SHUT_RDWR)) }
        }

        /// From now on connections are refused; the thread that takes them closes the socket.
        private func end(listener: Int32?) {
            if let listener { shutdown(listener, Int32(SHUT_RDWR)) }
        }

        private func takeConnections(of listener: Int32) {
            while true {
                let descriptor = accept(listener, nil, nil)
                // Only that is the end: whatever else there is to fail passes.
                if descriptor < 0, errno == EINVAL { break }
                guard descriptor >= 0, let (client, number) = begin(descriptor) else { continue }
                Thread.detachNewThread {
                    if self.resetConnections.contains(number) {
                        LoopbackSocket.resetOnClose(descriptor)
                    } else {
                        Connection(client: client, number: number, server: self).serve()
                    }
                    self.end(client)
                }
            }
            close(listener)
        }

        // MARK: - Connections

        /// A connection of a client, and its number.
        private func begin(_ descriptor: Int32) -> (ByteStream, Int)? {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            return track(descriptor) { state in
                state.connectionCount += 1
                return state.connectionCount
            }
        }

        /// A connection to the registry.
        func connect() -> ByteStream? {
            guard let descriptor = try? LoopbackSocket.connect(to: upstream) else { return nil }
            return track(descriptor) { _ in 0 }?.0
        }

        /// Lets a connection end with the proxy; nil where that has ended.
        private func track(_ descriptor: Int32, _ number: (inout State) -> Int) -> (ByteStream, Int)? {
            // Without this the last, short segment of a message can wait 40 ms for an acknowledgement.
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            let stream = ByteStream(descriptor)
            return state.withLock { state in
                guard !state.isStopped else { return nil }
                state.open[ObjectIdentifier(stream)] = stream
                return (stream, number(&state))
            }
        }

        /// Lets go of a connection.
        func end(_ stream: ByteStream) { _ = state.withLock { $0.open.removeValue(forKey: ObjectIdentifier(stream)) } }

        // MARK: - Requests

        /// Notes a request, and decides on it.
        func begin(_ request: Request) -> Exchange {
            let key = FaultProxy.key(of: request)
            let count = asked.withLock { asked in
                asked.counts[key, default: 0] += 1
                return asked.counts[key, default: 0]
            }
            let exchange = Exchange(request: request, count: count, fault: script(request, count))
            asked.withLock { $0.exchanges.append(exchange) }
            return exchange
        }
    }
}
