import Glibc
import NIOCore
import OCI

/// A server could not be started, or did not stay up.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What failed.
    @nonexhaustive
    public enum Code: Sendable {
        case listening(address: String)
        case certificate(path: String)
        case privateKey(path: String)
        /// It takes no more connections although nobody closed it.
        case stopped
    }

    /// What failed.
    public let code: Code
    /// What led to it.
    public let underlying: (any Error)?

    init(_ code: Code, underlying: (any Error)? = nil) {
        self.code = code
        self.underlying = underlying
    }

    /// One line: operation, subject, cause.
    public var description: String {
        switch code {
        case .listening(let address): "listening at \(address.printable): \(listeningCause)"
        case .certificate(let path):
            "reading the certificate \(path.printable): \(Self.cause(of: path) ?? "it holds none in PEM")"
        case .privateKey(let path):
            "reading the key \(path.printable): "
                + (Self.cause(of: path) ?? "it holds none in PEM, or not the one of the certificate")
        case .stopped: "the server takes no more connections" + (underlying.map { ": \($0)" } ?? "")
        }
    }

    private var listeningCause: String {
        guard let error = underlying as? IOError else { return underlying.map { "\($0)" } ?? "it has no address" }
        let reason = unsafe String(cString: strerror(error.errnoCode)).lowercased()
        return error.errnoCode == EADDRINUSE ? reason + "; end what listens there, or choose another port" : reason
    }

    /// Why a file cannot be read; nil where it can.
    private static func cause(of path: String) -> String? {
        guard unsafe access(path, R_OK) != 0 else { return nil }
        return unsafe String(cString: strerror(errno)).lowercased()
    }
}
