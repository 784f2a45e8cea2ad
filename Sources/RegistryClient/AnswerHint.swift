/// What an answer means that comes of a wrong way to the server, and what to say differently.
enum AnswerHint {
    /// The hint; nil for all other answers.
    static func text(for response: HTTPResponse, over route: Route) -> String? {
        let origin = route.origin
        if response.status == 400 {
            let body = String(decoding: response.body.prefix(4096), as: UTF8.self)
            if origin.scheme == "http", speaksTLS(body) {
                return "the server speaks TLS there; --tls \(origin.registryName) says so"
            }
            if origin.scheme == "https", body.contains("No required SSL certificate was sent") {
                return missingCertificate(for: origin)
            }
        }
        // What a proxy says of its own cannot be told from what the host says.
        guard response.status >= 500, let proxy = route.forwardingProxy else { return nil }
        return "it came through the proxy \(proxy) of \(proxy.variable)"
    }

    /// What to do where a server wants a certificate of ours.
    static func missingCertificate(for origin: URLParts.Origin) -> String {
        let directory = "/etc/docker/certs.d/\(origin.registryName)"
        return
            "the server wants a certificate of ours; put it and its key there as \(directory)/client.cert and client.key"
    }

    /// Whether an answer to plain HTTP is what Go's servers, nginx or Apache say on a port for TLS.
    private static func speaksTLS(_ body: String) -> Bool {
        [
            "HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS port",
            "plain HTTP to an SSL-enabled",
        ]
        .contains { body.contains($0) }
    }
}
