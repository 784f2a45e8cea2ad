/// How a registry is spoken to.
package enum Scheme: String, Hashable, Sendable {
    case https
    case http
}

/// Where a registry is reached.
package struct RegistryEndpoint: Hashable, Sendable {
    /// The registry as references name it: `docker.io`, `registry.site:5000`.
    package let registry: String
    /// Where its API begins, without the slash: `https://registry-1.docker.io`.
    package let baseURL: String
    /// The host of that; nil where the name is none of a host.
    let origin: URLParts.Origin?
    /// The registries that are spoken to in plain HTTP because the user said so, in lower case.
    let plainRegistries: Set<String>

    /// Decides the scheme and the address.
    ///
    /// - Parameters:
    ///   - registry: the registry as references name it.
    ///   - scheme: what the user said of this registry; nil leaves it to the rule: loopback is plain, all else is TLS.
    ///   - plainRegistries: the registries that are plain HTTP because the user said so.
    package init(registry: String, scheme: Scheme?, plainRegistries: Set<String> = []) {
        self.registry = registry
        baseURL = Self.baseURL(of: registry, scheme ?? (Self.isLoopback(registry) ? .http : .https))
        origin = URLParts.origin(of: baseURL)
        self.plainRegistries = plainRegistries
    }

    private static func baseURL(of registry: String, _ scheme: Scheme) -> String {
        "\(scheme.rawValue)://\(registry == "docker.io" ? "registry-1.docker.io" : registry)"
    }

    /// Everything that users call a registry that is spoken to in one way, in lower case.
    static func names(of registry: String, _ scheme: Scheme) -> Set<String> {
        URLParts.origin(of: baseURL(of: registry, scheme))?.names ?? []
    }

    /// Whether a token server that the registry names may be asked over plain HTTP: by the rule for a registry.
    ///
    /// It is the registry itself where that is plain, or one that the user named, or on loopback as the plain registry
    /// itself.
    func allowsPlainTokenServer(at origin: URLParts.Origin) -> Bool {
        if !plainRegistries.isDisjoint(with: origin.names) { return true }
        guard let own = self.origin, own.scheme == "http" else { return false }
        let isNamed = !plainRegistries.isDisjoint(with: own.names)
        return origin == own || Self.isLoopback(origin.hostText) && (Self.isLoopback(own.hostText) || isNamed)
    }

    /// What to say where a registry turns us away and we have no credentials for it.
    var missingCredentials: String {
        "there are no credentials for \(registry), which \"drayage login \(registry)\" would store"
    }

    /// Whether a registry is on this machine, by its name alone: `localhost`, 127.0.0.0/8 and `[::1]`.
    package static func isLoopback(_ registry: String) -> Bool {
        if registry == "[::1]" || registry.hasPrefix("[::1]:") { return true }
        let host = registry.prefix { $0 != ":" }
        if host == "localhost" { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127"
            && octets.allSatisfy { $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
    }
}
