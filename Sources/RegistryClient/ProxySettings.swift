import FoundationEssentials
import OCI

/// Which requests go through which proxy.
package struct ProxySettings: Sendable {
    private var http: Result<ProxyAddress, ProxyError>?
    private var https: Result<ProxyAddress, ProxyError>?
    private var exceptions = NoProxy(parsing: "")

    /// No proxy at all.
    package init() {}

    /// Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, each in upper case first and then in lower case, as Go's programs
    /// do: docker, podman and skopeo go the same way.
    ///
    /// One that names no proxy that can be used fails those who need it: whoever asks loopback alone does not.
    package init(environment: [String: String]) {
        func value(_ names: [String]) -> (name: String, text: String)? {
            names.lazy.compactMap { name in environment.value(of: name).map { (name, $0) } }.first
        }
        // In a CGI program it is what a client's header `Proxy` says.
        let isCGI = environment.value(of: "REQUEST_METHOD") != nil
        if let (name, text) = value(isCGI ? ["http_proxy"] : ["HTTP_PROXY", "http_proxy"]) {
            http = Self.proxy(text, name)
        }
        if let (name, text) = value(["HTTPS_PROXY", "https_proxy"]) {
            https = Self.proxy(text, name)
        }
        exceptions = NoProxy(parsing: value(["NO_PROXY", "no_proxy"])?.text ?? "")
    }

    private static func proxy(_ text: String, _ variable: String) -> Result<ProxyAddress, ProxyError> {
        do throws(ProxyError) {
            return .success(try ProxyAddress(parsing: text, variable: variable))
        } catch {
            return .failure(error)
        }
    }

    /// The proxy through which an origin is reached; nil where there is none.
    ///
    /// - Throws: ``ProxyError`` where the variable names none that can be used.
    func proxy(for origin: URLParts.Origin) throws(ProxyError) -> ProxyAddress? {
        guard let proxy = origin.scheme == "https" ? https : http,
            !exceptions.covers(host: origin.host, port: origin.port)
        else { return nil }
        return try proxy.get()
    }
}

/// A proxy.
///
/// It never prints its credentials.
struct ProxyAddress: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    enum Kind: Hashable, Sendable {
        case http
        case socks5
    }

    let kind: Kind
    /// An IPv6 address is without brackets.
    let host: String
    let port: Int
    /// The user and the password for it in Base64, as `Proxy-Authorization` has them.
    let credentials: String?
    /// The variable that names it.
    let variable: String

    /// `host:port`.
    var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    /// No secret: what `dump` and a crash would print.
    var customMirror: Mirror { Mirror(self, children: [:]) }

    /// Reads `[http://|socks5://][user:password@]host[:port]`.
    ///
    /// - Parameters:
    ///   - text: the value, of which nothing is in an error: it may hold a password.
    ///   - variable: the variable that has it.
    /// - Throws: ``ProxyError``.
    init(parsing text: String, variable: String) throws(ProxyError) {
        func refuse(_ reason: String) -> ProxyError { ProxyError(variable: variable, reason: reason) }
        let bytes = Array(text.utf8)[...]
        var rest = bytes
        var scheme = "http"
        if let separator = bytes.firstRange(of: "://".utf8) {
            scheme = String(decoding: bytes[..<separator.lowerBound], as: UTF8.self).lowercased()
            rest = bytes[separator.upperBound...]
        }
        switch scheme {
        case "http": kind = .http
        case "socks5", "socks5h": kind = .socks5
        case "https": throw refuse("a proxy that is itself spoken to with TLS is not supported; give http://HOST:PORT")
        default: throw refuse("its scheme is neither http nor socks5")
        }
        let end = rest.firstIndex { "/?#".utf8.contains($0) } ?? rest.endIndex
        let unnamed = "it names no host and port; give http://HOST:PORT, and in a user or a password %2F for a /"
        // An @ behind it means that a password ends there.
        guard !rest[end...].contains(UInt8(ascii: "@")) else { throw refuse(unnamed) }
        rest = rest[..<end]
        var user: ArraySlice<UInt8>?
        if let at = rest.lastIndex(of: UInt8(ascii: "@")) {
            user = rest[..<at]
            rest = rest[(at + 1)...]
        }
        let authority = String(decoding: rest, as: UTF8.self)
        guard let (host, port) = Self.split(authority, defaultPort: kind == .http ? 80 : 1080) else {
            throw refuse(unnamed)
        }
        (self.host, self.port, self.variable) = (host, port, variable)
        credentials = user.flatMap { Self.credentials(in: $0) }
        guard kind == .http || credentials == nil else {
            throw refuse("a user for a SOCKS proxy is not supported; give socks5://HOST:PORT")
        }
    }

    private static func credentials(in user: ArraySlice<UInt8>) -> String? {
        let colon = user.firstIndex(of: UInt8(ascii: ":")) ?? user.endIndex
        let (name, password) = (percentDecoded(user[..<colon]), percentDecoded(user[colon...].dropFirst()))
        guard !name.isEmpty || !password.isEmpty else { return nil }
        return Data(name + [UInt8(ascii: ":")] + password).base64EncodedString()
    }

    private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
                let value = UInt8(digits, radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return result
    }

    private static func split(_ authority: String, defaultPort: Int) -> (host: String, port: Int)? {
        var (host, rest) = (authority[...], Substring())
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            (host, rest) = (authority[..<end].dropFirst(), authority[authority.index(after: end)...])
            guard IPAddress(host) != nil else { return nil }
        } else {
            if let colon = authority.firstIndex(of: ":") { (host, rest) = (authority[..<colon], authority[colon...]) }
            guard !host.isEmpty, host.utf8.allSatisfy(hostCharacters.contains) else { return nil }
        }
        guard !rest.isEmpty else { return (String(host), defaultPort) }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (String(host), Int(port))
    }

    private static let hostCharacters = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_".utf8
    )
}

/// A variable that names no proxy that can be used.
package struct ProxyError: Error, Sendable, CustomStringConvertible {
    /// The variable.
    package let variable: String
    /// What is wrong with its value, of which nothing is told: it may hold a password.
    package let reason: String

    /// One line: operation, subject, cause.
    package var description: String { "reading the proxy in \(variable): \(reason)" }
}
