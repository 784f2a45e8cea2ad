/// A request in a registry's access log.
package struct LoggedRequest: Hashable, Sendable, CustomStringConvertible {
    /// Who asked: the address, with its port where the registry notes that.
    package let remote: String
    /// The method.
    package let method: String
    /// The path, with its query where the registry notes that.
    package let path: String
    /// The answer's status; 0 where there was no answer.
    package let status: Int
    /// The bytes of the answer's body.
    package let byteCount: Int64

    /// Method, path and status.
    package var description: String { "\(method) \(path) \(status)" }

    /// `METHOD path`.
    package var line: String { "\(method) \(path)" }

    /// Describes a request that a registry answered.
    package init(remote: String, method: String, path: String, status: Int, byteCount: Int64) {
        self.remote = remote
        self.method = method
        self.path = path
        self.status = status
        self.byteCount = byteCount
    }

    /// Reads a line of Apache's combined log format.
    init?(line: Substring) {
        let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count > 2, let remote = parts[0].split(separator: " ").first else { return nil }
        let request = parts[1].split(separator: " ")
        let numbers = parts[2].split(separator: " ")
        guard request.count >= 2, numbers.count >= 2, let status = Int(numbers[0]) else { return nil }
        self.remote = String(remote)
        method = String(request[0])
        path = String(request[1])
        self.status = status
        byteCount = Int64(numbers[1]) ?? 0
    }
}

extension Sequence<LoggedRequest> {
    /// How many requests of a method there are, to paths that contain a text.
    package func count(_ method: String, containing text: String = "") -> Int {
        count { $0.method == method && (text.isEmpty || $0.path.contains(text)) }
    }
}
