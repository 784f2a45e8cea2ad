extension URLParts.Origin {
    /// The port that a URL of the scheme need not name.
    private var defaultPort: Int { scheme == "https" ? 443 : 80 }

    /// The host as a URL has it: an IPv6 address in brackets.
    var hostText: String { host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host }

    /// The host and the port as a URL has them, without the port that the scheme means anyway.
    var authority: String { port == defaultPort ? hostText : "\(hostText):\(port)" }

    /// The host as a registry is named on a command line: by the name that references have for it.
    var registryName: String { host == Self.dockerHubAddress ? "docker.io" : authority }

    /// Everything that users call this host, in lower case: with its port, without it where the scheme means that port,
    /// and Docker Hub by the name that references have for it.
    var names: Set<String> {
        let hosts = host == Self.dockerHubAddress ? [host, "docker.io", "index.docker.io"] : [hostText]
        return Set(hosts.flatMap { ["\($0):\(port)"] + (port == defaultPort ? [$0] : []) })
    }

    private static let dockerHubAddress = "registry-1.docker.io"
}
