import Dispatch
import Foundation
import Synchronization

extension FaultProxy.Exchanging {
    private typealias Head = FaultProxy.Head
    private typealias Passage = FaultProxy.Passage

    /// Passes the request on to the registry, and its answer to the client.
    ///
    /// Every request has a connection of its own to the registry: no connection that was kept too long adds a fault to
    /// those of the script.
    func forward(to upstream: FaultProxy.ByteStream) -> FaultProxy.End {
        var head = head
        if case .altered(let fields, _) = fault { for (name, value) in fields { head.set(name, to: value) } }
        guard LoopbackSocket.send(head.bytes, to: upstream.descriptor) else { return finish(.reset) }
        let passage = Passage(ofRequest: fault)
        guard passage.end == .goesOn else { return cut(passage, to: upstream) }
        // A registry may answer before it has read all, and an interim answer comes before it reads anything.
        let upload = body.byteCount == 0 ? nil : Upload { sendBody(as: passage, to: upstream) }
        var end = finish(passAnswer(from: upstream))
        if end != .goesOn {
            if end != .close { shutdown(client.descriptor, Int32(SHUT_RD)) }
            shutdown(upstream.descriptor, Int32(SHUT_RDWR))
        }
        if let ending = upload?.wait(), end == .goesOn { end = finish(ending) }
        return end
    }

    /// Passes on a part of the request, and no answer.
    private func cut(_ passage: Passage, to upstream: FaultProxy.ByteStream) -> FaultProxy.End {
        letBodyCome()
        let end = finish(sendBody(as: passage, to: upstream))
        upstream.waitUntilDelivered()
        LoopbackSocket.resetOnClose(upstream.descriptor)
        return end
    }

    /// Passes the request's body on.
    private func sendBody(as passage: Passage, to upstream: FaultProxy.ByteStream) -> FaultProxy.End {
        let end = passage.pass(body, count: exchange.noteRequest) { LoopbackSocket.send($0, to: upstream.descriptor) }
        // There is nobody to whom the registry could answer.
        if client.end != nil { shutdown(upstream.descriptor, Int32(SHUT_RDWR)) }
        return end
    }

    private func passAnswer(from upstream: FaultProxy.ByteStream) -> FaultProxy.End {
        while var head = upstream.readHead() {
            guard let answer = head.answer else { return .reset }
            guard answer.status >= 200 else {
                guard sendToClient(head.bytes) else { return .close }
                continue
            }
            for name in ["Location", "Link"] {
                head.replace("//\(server.upstream)/", with: "//\(request.header("Host") ?? "")/", in: name)
            }
            if case .altered(_, let fields) = fault { for (name, value) in fields { head.set(name, to: value) } }
            let body = FaultProxy.Body(.init(of: answer, to: request), of: upstream)
            let passage = Passage(ofAnswer: fault, head: &head, byteCount: body.byteCount)
            return send(head, body, as: passage)
        }
        return upstream.end ?? .close
    }
}

/// The body of a request on its way to the registry, on a thread of its own.
private final class Upload: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let end = Mutex(FaultProxy.End.goesOn)

    init(_ work: @escaping @Sendable () -> FaultProxy.End) {
        Thread.detachNewThread {
            let end = work()
            self.end.withLock { $0 = end }
            self.done.signal()
        }
    }

    /// How the connection goes on after the body.
    func wait() -> FaultProxy.End {
        done.wait()
        return end.withLock { $0 }
    }
}

extension FaultProxy.ByteStream {
    /// Waits until the peer's system has all that was sent, as a reset would throw away what it has not; or gives up.
    func waitUntilDelivered() {
        var rest: Int32 = 0
        for _ in 0..<2000 {
            // That many bytes were not acknowledged yet.
            guard ioctl(descriptor, UInt(TIOCOUTQ), &rest) == 0, rest > 0, !hasPeerGone(within: 0) else { return }
            usleep(1000)
        }
    }

    /// Waits until the peer has closed the connection, and reads nothing of what it sends.
    func waitForPeerToGo() { while !hasPeerGone(within: -1) {} }

    /// Whether the peer closes the connection within so many milliseconds; -1 is for ever.
    private func hasPeerGone(within time: Int32) -> Bool {
        // Glibc does not show POLLRDHUP without its extensions.
        let hangUp: Int16 = 0x2000
        var event = pollfd(fd: descriptor, events: hangUp, revents: 0)
        return poll(&event, 1, time) > 0 && event.revents != 0
    }
}
