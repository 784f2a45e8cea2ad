/// A server could not be started.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What failed.
    @nonexhaustive
    public enum Code: Sendable {
        case listening(address: String, cause: (any Error)?)
        case certificate(path: String, cause: any Error)
        case privateKey(path: String, cause: any Error)
    }

    /// What failed.
    public let code: Code

    init(_ code: Code) { self.code = code }

    /// One line: operation, subject, cause.
    public var description: String {
        switch code {
        case .listening(let address, let cause): "listening at \(address): \(cause.map { "\($0)" } ?? "no address")"
        case .certificate(let path, let cause): "reading the certificate \(path): \(cause)"
        case .privateKey(let path, let cause): "reading the key \(path): \(cause)"
        }
    }
}
