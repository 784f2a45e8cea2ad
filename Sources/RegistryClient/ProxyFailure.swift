import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// What went wrong at a proxy, or between us and it.
enum ProxyFailure {
    case credentialsWanted(by: ProxyAddress)
    /// It answered a request to connect to a host with a status of its own.
    case refusal(by: ProxyAddress, host: String, HTTPResponseStatus?)
    /// It could not be reached, or was lost.
    case unreachable(ProxyAddress, String)
    /// Its name has no address.
    case unknown(ProxyAddress, String)

    /// Takes a failure that is a proxy's; nil for one that is the host's, or nobody's.
    ///
    /// - Parameters:
    ///   - error: what the HTTP client says of it.
    ///   - route: the way of the request.
    ///   - isKnown: whether the host has answered before, and the proxy with it.
    ///   - timeout: how long a proxy may take to say what it did not like.
    init?(_ error: any Error, _ route: Route, isKnown: Bool, timeout: TimeAmount) async {
        guard let proxy = route.proxy else { return nil }
        switch error {
        case let error as NIOConnectionError:
            let reason = TransportFailure.connectionReason(error)
            self = error.connectionErrors.isEmpty && !isKnown ? .unknown(proxy, reason) : .unreachable(proxy, reason)
        case let error as IOError where TransportFailure.isRefusal(error):
            self = .unreachable(proxy, TransportFailure.text(of: error))
        case ChannelError.connectTimeout:
            self = .unreachable(proxy, "no answer in time")
        case let error as HTTPClientError where Self.timeouts.contains(error):
            self = .unreachable(proxy, "no answer in time")
        case let error as HTTPClientError where error == .proxyAuthenticationRequired:
            self = .credentialsWanted(by: proxy)
        case let error as HTTPClientError where error == .invalidProxyResponse:
            let host = "\(route.origin.hostText):\(route.origin.port)"
            let answer = await ProxyProbe.status(of: proxy, connectingTo: host, timeout: timeout)
            // Where it connects now, what it did not like has passed.
            let status = answer.flatMap { (200..<300).contains($0.code) ? nil : $0 }
            // tinyproxy answers wrong credentials with 401, and none with 407.
            self = status == .unauthorized ? .credentialsWanted(by: proxy) : .refusal(by: proxy, host: host, status)
        case _ where proxy.kind == .socks5 && String(reflecting: type(of: error)).hasPrefix("NIOSOCKS."):
            self = .unreachable(proxy, "it does not connect to \(route.origin.hostText): \(error)")
        default:
            return nil
        }
    }

    /// Takes an answer that a proxy gave in the place of a host; nil for all others.
    ///
    /// - Parameters:
    ///   - response: the answer.
    ///   - route: the way of the request.
    init?(_ response: HTTPResponse, _ route: Route) {
        guard let proxy = route.forwardingProxy else { return nil }
        // tinyproxy answers wrong credentials as a host would; a host's own `Server` it leaves as it is.
        let isTinyproxy = response.headers.first(name: "Server")?.hasPrefix("tinyproxy") ?? false
        guard response.status == 407 || response.status == 401 && isTinyproxy else { return nil }
        self = .credentialsWanted(by: proxy)
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .httpProxyHandshakeTimeout, .socksHandshakeTimeout,
    ]

    /// The failure as an error of ours.
    ///
    /// It is told which variable names the proxy, and nothing of its user.
    func error(_ request: HTTPRequest, _ context: RequestContext) -> RegistryError {
        func error(_ code: RegistryError.Code, _ proxy: ProxyAddress, _ text: String) -> RegistryError {
            let reason = "the proxy \(proxy) of \(proxy.variable): \(text)"
            return RegistryError(code, context, request: request.name, reason: reason)
        }
        switch self {
        case .credentialsWanted(let proxy):
            let wanted = proxy.credentials == nil ? "a user and a password" : "another user or password"
            let form = "\(proxy.variable)=http://USER:PASSWORD@\(proxy)"
            return error(.proxyRefused, proxy, "it wants \(wanted), as \(form)")
        case .refusal(let proxy, let host, let status?) where !RetryPolicy.isRetryable(status: Int(status.code)):
            return error(
                .proxyRefused,
                proxy,
                "it refuses to connect to \(host) with \(status.code); NO_PROXY names what is reached without it"
            )
        case .refusal(let proxy, let host, let status):
            let answer = status.map { "; it answered \($0.code)" } ?? ""
            return error(.unreachable, proxy, "it could not connect to \(host)\(answer)")
        case .unreachable(let proxy, let text):
            return error(.unreachable, proxy, text)
        case .unknown(let proxy, let text):
            return error(.unknownHost, proxy, text)
        }
    }
}
