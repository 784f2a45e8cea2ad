/// The hosts that are reached without a proxy: what `NO_PROXY` says, as Go's programs read it.
struct NoProxy: Sendable {
    private enum Rule {
        case everything
        case network(IPAddress, bitCount: Int)
        case address(IPAddress, port: Int?)
        /// A domain with the dot before it, and all that is in it.
        case domain(String, port: Int?, includesItself: Bool)
    }

    private var rules: [Rule]

    /// Reads a list whose entries are separated by commas or blanks; one that means nothing is passed over.
    ///
    /// `example.com` is the host and all in its domain, `.example.com` and `*.example.com` what is in the domain alone,
    /// `*` everything. Addresses and networks (`10.0.0.0/8`, `fd00::/8`) match hosts that are written as addresses. All
    /// but networks may have a port.
    init(parsing text: String) {
        let entries = text.lowercased().split { $0 == "," || $0.isWhitespace }
        rules = entries.compactMap { Self.rule($0) }
    }

    private static func rule(_ entry: Substring) -> Rule? {
        if entry == "*" { return .everything }
        if let slash = entry.firstIndex(of: "/") {
            guard let address = IPAddress(entry[..<slash]), let bits = Int(entry[entry.index(after: slash)...]),
                (0...address.bytes.count * 8).contains(bits)
            else { return nil }
            return .network(address, bitCount: bits)
        }
        var (host, port) = split(entry)
        if let address = IPAddress(host) { return .address(address, port: port) }
        if host.hasPrefix("*.") { host = host.dropFirst() }
        guard host != ".", !host.isEmpty else { return nil }
        return host.hasPrefix(".")
            ? .domain(String(host), port: port, includesItself: false)
            : .domain("." + host, port: port, includesItself: true)
    }

    private static func split(_ entry: Substring) -> (host: Substring, port: Int?) {
        if entry.hasPrefix("["), let end = entry.firstIndex(of: "]") {
            let rest = entry[entry.index(after: end)...]
            return (entry[..<end].dropFirst(), rest.hasPrefix(":") ? Int(rest.dropFirst()) : nil)
        }
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let port = Int(parts[1]) else { return (entry, nil) }
        return (parts[0], port)
    }

    /// Whether a host is reached without a proxy.
    ///
    /// This machine always is.
    ///
    /// - Parameters:
    ///   - host: the host in lower case, an IPv6 address without brackets.
    ///   - port: its port.
    /// - Returns: whether it is.
    func covers(host: String, port: Int) -> Bool {
        let host = host.hasSuffix(".") ? String(host.dropLast()) : host
        let address = IPAddress(host)
        if host == "localhost" || address?.isLoopback ?? false { return true }
        return rules.contains { rule in
            switch rule {
            case .everything: true
            case .network(let network, let bitCount): address?.hasPrefix(of: network, bitCount: bitCount) ?? false
            case .address(let own, let ownPort): address == own && (ownPort ?? port) == port
            case .domain(let domain, let ownPort, let includesItself):
                (ownPort ?? port) == port && (host.hasSuffix(domain) || includesItself && host == domain.dropFirst())
            }
        }
    }
}
