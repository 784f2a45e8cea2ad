import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Says in our terms why a request got no answer.
enum TransportFailure {
    /// An error of the sink, which passes through as it is.
    struct SinkFailure: Error {
        let underlying: any Error
    }

    /// Finds the kind of a failure.
    ///
    /// - Parameters:
    ///   - error: the failure.
    ///   - request: what was sent.
    ///   - isKnown: whether the host has answered before: then only the way to it, or to its name, can be lost.
    ///   - context: what it was sent for.
    /// - Returns: the failure as an error of ours, or as it is where it is nobody's fault.
    static func map(
        _ error: any Error,
        request: HTTPRequest,
        isKnown: Bool,
        context: RequestContext
    ) -> any Error {
        func failure(_ code: RegistryError.Code, _ reason: String?) -> RegistryError {
            RegistryError(code, context, request: request.name, reason: reason)
        }
        switch error {
        case let error as SinkFailure: return error.underlying
        case let error as BlobSourceFailure: return error
        case is CancellationError, is BlobDownload.RangeRefused, is BlobDownload.PieceEnded: return error
        case let error as RegistryError: return error
        case let error as NIOConnectionError: return connection(error, isKnown: isKnown, failure)
        case let error as NIOSSLError: return tls("\(error)", request, failure)
        case let error as NIOSSLExtraError: return tls("\(error)", request, failure)
        case let error as BoringSSLError: return tls("\(error)", request, failure)
        case is PeerName.Mismatch: return failure(.untrustedCertificate, otherHost)
        case let error as HTTPClientError: return client(error, failure)
        case ChannelError.connectTimeout: return failure(.unreachable, "no answer to the connection attempt")
        case is ChannelError: return failure(.connectionLost, nil)
        case is HTTPParserError: return failure(.connectionLost, "the answer is cut off or is not HTTP")
        case let error as IOError: return io(error, failure)
        case let error as FileBody.ReadError: return failure(.other, error.description)
        default: return failure(.other, "\(error)")
        }
    }

    private static func client(
        _ error: HTTPClientError,
        _ failure: (RegistryError.Code, String?) -> RegistryError
    ) -> any Error {
        switch error {
        case .cancelled: CancellationError()
        case .connectTimeout: failure(.unreachable, "no answer to the connection attempt")
        case .tlsHandshakeTimeout: failure(.unreachable, "the TLS handshake did not end")
        case .readTimeout, .writeTimeout, .deadlineExceeded: failure(.timeout, nil)
        case .remoteConnectionClosed, .uncleanShutdown: failure(.connectionLost, nil)
        default: failure(.other, error.description)
        }
    }

    private static func connection(
        _ error: NIOConnectionError,
        isKnown: Bool,
        _ failure: (RegistryError.Code, String?) -> RegistryError
    ) -> RegistryError {
        guard let attempt = error.connectionErrors.last else {
            return failure(isKnown ? .unreachable : .unknownHost, "\(error.host) has no address")
        }
        return failure(.unreachable, "\(error.host):\(error.port): \(reason(of: attempt))")
    }

    /// Why nobody is connected to at a host.
    static func connectionReason(_ error: NIOConnectionError) -> String {
        error.connectionErrors.last.map { reason(of: $0) } ?? "\(error.host) has no address"
    }

    private static func reason(of attempt: SingleConnectionFailure) -> String {
        (attempt.error as? IOError).map { text(of: $0) } ?? "no answer to the connection attempt"
    }

    private static func tls(
        _ text: String,
        _ request: HTTPRequest,
        _ failure: (RegistryError.Code, String?) -> RegistryError
    ) -> RegistryError {
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("failedToValidateHostname") {
            return failure(.untrustedCertificate, certificateReason(text))
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            let name = request.origin?.registryName ?? "HOST"
            return failure(.noTLS, "the server does not speak TLS there; --plain-http \(name) says that it need not")
        }
        if text.contains("ALERT_CERTIFICATE_REQUIRED"), let origin = request.origin {
            return failure(.missingCertificate, AnswerHint.missingCertificate(for: origin))
        }
        return failure(.unreachable, "the TLS handshake failed: \(text.prefix(200))")
    }

    private static func certificateReason(_ text: String) -> String? {
        text.contains("failedToValidateHostname") ? otherHost : nil
    }

    private static let otherHost = "it belongs to another host"

    private static func io(
        _ error: IOError,
        _ failure: (RegistryError.Code, String?) -> RegistryError
    ) -> RegistryError {
        failure(isRefusal(error) ? .unreachable : .connectionLost, text(of: error))
    }

    /// Whether there never was a connection.
    static func isRefusal(_ error: IOError) -> Bool {
        [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains(error.errnoCode)
    }

    /// What the system says of it.
    static func text(of error: IOError) -> String {
        unsafe String(cString: strerror(error.errnoCode)).lowercased()
    }
}
