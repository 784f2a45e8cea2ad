import Logging
import Synchronization
import TestSupport

/// The requests in the access log of a server.
final class RequestLog: Sendable {
    private let state = Mutex<[LoggedRequest]>([])

    /// Every request that was noted so far: each is a moment after it was answered.
    var requests: [LoggedRequest] { state.withLock { $0 } }

    /// Takes the entries; those that are of no request are left out.
    struct Handler: LogHandler {
        let log: RequestLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard let request = LoggedRequest(event.metadata ?? [:]) else { return }
            log.state.withLock { $0.append(request) }
        }
    }
}

extension LoggedRequest {
    fileprivate init?(_ metadata: Logger.Metadata) {
        func text(_ key: String) -> String? { metadata[key].map { "\($0)" } }
        guard let remote = text("remote"), let method = text("method"), let path = text("path"),
            let status = text("status").flatMap({ Int($0) }), let byteCount = text("bytes").flatMap({ Int64($0) })
        else { return nil }
        self.init(remote: remote, method: method, path: path, status: status, byteCount: byteCount)
    }
}
