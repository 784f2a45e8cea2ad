import Synchronization

extension FaultProxy {
    /// A request that reached the proxy, and what has become of it so far.
    package final class Exchange: Sendable, CustomStringConvertible {
        /// Its head, as it came, and the number of its connection.
        package let request: Request
        /// How often the same was asked, with this time.
        package let count: Int
        /// What was done to it; nil where it passed as it is.
        package let fault: Fault?

        private let sentStatus = Atomic(0)
        private let received = Atomic(0)
        private let sent = Atomic(0)

        init(request: Request, count: Int, fault: Fault?) {
            self.request = request
            self.count = count
            self.fault = fault
        }

        /// The status that the client was sent; nil where there was no answer.
        package var status: Int? {
            let status = sentStatus.load(ordering: .relaxed)
            return status == 0 ? nil : status
        }

        /// How much came of the request's body, in bytes, without any transfer coding.
        package var requestByteCount: Int { received.load(ordering: .relaxed) }

        /// How much of the answer's body the client was sent, in bytes, without any transfer coding.
        ///
        /// What was on its way when the client went is in it.
        package var answerByteCount: Int { sent.load(ordering: .relaxed) }

        /// One line: the request, what was done, what came of it.
        package var description: String {
            let action = fault.map { "\($0)" } ?? "passed"
            let result = status.map { "\($0)" } ?? "no answer"
            return "\(request.line) (\(count)): \(action): \(result), \(requestByteCount) in, \(answerByteCount) out"
        }

        // Noted before it happens, so that a client never knows more than this.

        func noteStatus(_ status: Int) { sentStatus.store(status, ordering: .relaxed) }
        func noteRequest(_ byteCount: Int) { received.add(byteCount, ordering: .relaxed) }
        func noteAnswer(_ byteCount: Int) { sent.add(byteCount, ordering: .relaxed) }
    }
}
