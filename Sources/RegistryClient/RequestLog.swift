import Logging
import NIOHTTP1
import OCI
import Synchronization

/// Notes each request, without its query, its headers and whatever else may be secret.
final class RequestLog: Sendable {
    /// The most warnings that are remembered as told: a registry that has more is told of no more.
    private static let warningLimit = 256

    private let logger: Logger
    private let told = Mutex<Set<String>>([])

    init(logger: Logger) { self.logger = logger }

    /// Notes how a request ended, and what the registry warns of, each once for a host.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - outcome: the status, or what came instead.
    ///   - headers: those of the answer; nil where there was none.
    ///   - sent: how many bytes of a body left; nil where the request has none.
    ///   - received: how many bytes of a body came.
    ///   - start: when it began.
    func note(
        _ request: HTTPRequest,
        _ outcome: String,
        headers: HTTPHeaders? = nil,
        sent: Int64?,
        received: Int64,
        since start: ContinuousClock.Instant
    ) {
        let isDebugging = logger.logLevel <= .debug
        // All answers may have an id, which a log alone tells; few warn.
        guard isDebugging || headers?.contains(name: "Warning") == true else { return }
        let remarks = headers.map { AnswerRemarks($0) }
        if isDebugging { logger.debug("\(line(request, outcome, remarks, sent, received, start))") }
        guard let warnings = remarks?.warnings, !warnings.isEmpty, let origin = request.origin else { return }
        for warning in warnings {
            let line = "\(origin.authority) warns: \(warning)".printable
            let isNew = told.withLock { $0.count < Self.warningLimit && $0.insert(line).inserted }
            if isNew { logger.warning("\(line)") }
        }
    }

    private func line(
        _ request: HTTPRequest,
        _ outcome: String,
        _ remarks: AnswerRemarks?,
        _ sent: Int64?,
        _ received: Int64,
        _ start: ContinuousClock.Instant
    ) -> String {
        let elapsed = (ContinuousClock.now - start).components
        let time = elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
        let parts = [
            "\(request.name) \(outcome)", sent.map { "sent \($0) bytes" }, "received \(received) bytes", "\(time) ms",
            remarks?.requestID.map { "request id \($0)" },
        ]
        return parts.compactMap(\.self).joined(separator: ", ").printable
    }
}
