import NIOSSL

/// The way to a host: what is between, and what is trusted at its end.
///
/// Requests of one way share their connections' settings.
struct Route: Sendable {
    /// What is between us and the host.
    enum Passage: Hashable, Sendable {
        case direct
        /// The proxy connects to the host, and passes on what goes to and fro.
        case tunnel(ProxyAddress)
        /// The proxy sends the request itself: plain HTTP.
        case forward(ProxyAddress)
    }

    /// What tells one way from another.
    struct Key: Hashable, Sendable {
        let passage: Passage
        /// Whose certificates are at work besides those for all.
        let certificates: TrustStore.HostTrust.Source?
        /// The host, where its connections would all be the proxy's to the client.
        let host: String?
        /// The host that the certificate must be for, where the connection's other end is a proxy.
        let verifiedHost: String?
    }

    let key: Key
    let tls: TLSConfiguration
    let origin: URLParts.Origin

    var proxy: ProxyAddress? {
        switch key.passage {
        case .direct: nil
        case .tunnel(let proxy), .forward(let proxy): proxy
        }
    }

    /// The proxy that sends the request itself.
    var forwardingProxy: ProxyAddress? {
        if case .forward(let proxy) = key.passage { proxy } else { nil }
    }

    /// Finds the way.
    ///
    /// - Parameters:
    ///   - origin: the host.
    ///   - registry: the registry that has sent us there.
    ///   - isAnonymous: whether a certificate of ours is not shown there.
    ///   - trust: what is trusted.
    ///   - proxies: what is between.
    /// - Throws: ``TrustError`` where a file of the host's certificates cannot be used, ``ProxyError`` where its proxy
    ///   cannot.
    init(
        to origin: URLParts.Origin,
        sentBy registry: URLParts.Origin? = nil,
        isAnonymous: Bool = false,
        trust: TrustStore,
        proxies: ProxySettings
    ) throws {
        let trusted = try trust.trust(for: origin, sentBy: registry, isAnonymous: isAnonymous)
        var tls = trusted.tls
        var host: String?
        var passage = Passage.direct
        var verifiedHost: String?
        if let proxy = try proxies.proxy(for: origin) {
            passage = proxy.kind == .http && origin.scheme == "http" ? .forward(proxy) : .tunnel(proxy)
            if case .forward = passage { host = origin.authority }
            if origin.scheme == "https", tls.certificateVerification == .fullVerification {
                verifiedHost = origin.host
                // The library would hold the certificate against the proxy's address alone.
                if IPAddress(origin.host) != nil { tls.certificateVerification = .noHostnameVerification }
            }
        }
        key = Key(passage: passage, certificates: trusted.source, host: host, verifiedHost: verifiedHost)
        self.tls = tls
        self.origin = origin
    }
}
