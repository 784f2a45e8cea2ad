import Logging
import NIOCore
import NIOHTTP1
import OCI

/// The access log: one entry a request, at the level `info`, or `error` where the server failed.
enum AccessLog {
    /// What is known of a request so far.
    struct Entry {
        private let start = ContinuousClock.now
        private var metadata: Logger.Metadata

        init(_ request: Request, remote: SocketAddress?) {
            metadata = [
                "method": "\(request.method.rawValue.printableExcerpt)",
                "path": "\(request.path.printableExcerpt)",
                "remote": "\(remote.map(AccessLog.text) ?? "-")",
            ]
            if let agent = request.headers.first(name: "user-agent") {
                metadata["agent"] = "\(agent.printableExcerpt)"
            }
            if let namespace = request.namespace { metadata["ns"] = "\(namespace.printableExcerpt)" }
        }

        /// For what cannot be read as a request.
        init(remote: SocketAddress?) {
            metadata = ["method": "-", "path": "-", "remote": "\(remote.map(AccessLog.text) ?? "-")"]
        }

        /// Notes who asked.
        mutating func setUser(_ user: String) { metadata["user"] = "\(user.printableExcerpt)" }

        /// Notes what went wrong, for the operator.
        mutating func setCause(_ cause: String) { metadata["cause"] = "\(cause.printableExcerpt)" }

        /// Writes the entry; without a status there was no answer.
        func log(to logger: Logger, status: HTTPResponseStatus?, byteCount: Int64, cause: String?) {
            var metadata = metadata
            metadata["status"] = "\(status?.code ?? 0)"
            metadata["bytes"] = "\(byteCount)"
            let elapsed = (ContinuousClock.now - start).components
            let milliseconds = elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
            metadata["milliseconds"] = "\(milliseconds)"
            if let cause { metadata["cause"] = "\(cause.printableExcerpt)" }
            let failed = status.map { $0.code >= 500 } ?? false
            logger.log(level: failed ? .error : .info, "request", metadata: metadata)
        }
    }

    /// `address:port`, an IPv6 address in brackets.
    static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
