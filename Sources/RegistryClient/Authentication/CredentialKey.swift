import OCI

/// The keys by which credentials are kept: a host, or a host with the beginning of a repository's path.
enum CredentialKey {
    /// Docker Hub as references name it.
    private static let dockerHub = "docker.io"
    /// The names under which credentials for Docker Hub are found.
    private static let dockerHubAliases: Set<String> = [dockerHub, "index.docker.io", "registry-1.docker.io"]
    /// What docker calls Docker Hub in its own file, and when it talks to a helper.
    static let dockerHubServer = "https://index.docker.io/v1/"

    /// The keys that are good for a repository, the longest first.
    ///
    /// - Parameters:
    ///   - registry: the registry, with its port.
    ///   - path: the repository's path; nil for what concerns the registry as a whole.
    /// - Returns: `host/namespace/repository`, `host/namespace`, `host`.
    static func all(_ registry: String, _ path: String?) -> [String] {
        var keys = [normalized(registry)]
        for part in (path ?? "").split(separator: "/") { keys.append("\(keys[keys.count - 1])/\(part)") }
        return keys.reversed()
    }

    /// A key of a file in the form of ``all(_:_:)``.
    ///
    /// Of a URL, which is what docker has there, only the host is meant.
    static func normalized(_ key: String) -> String {
        var rest = key[...]
        var isURL = false
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            isURL = true
        }
        while rest.utf8.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/"))
        var host = String(rest[..<(slash ?? rest.endIndex)])
        var path = slash.map { rest[$0...] } ?? ""
        if isURL || path == "/v1" || path == "/v2" { path = "" }
        if dockerHubAliases.contains(host) { host = dockerHub }
        return host + path
    }

    /// What a helper calls the registry of a key without a path.
    static func server(of key: String) -> String { key == dockerHub ? dockerHubServer : key }
}
