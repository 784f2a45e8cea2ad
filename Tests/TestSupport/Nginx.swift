import Foundation

/// Debian's `nginx`, run for one test on an address of its own: in front of a registry, or by itself.
///
/// It ends with the value.
package final class Nginx: Sendable {
    /// Whether a client is asked who it is.
    package enum ClientCertificates: String, Sendable {
        /// Nobody is asked.
        case ignored = "off"
        /// Everybody is asked, and any answer will do, none as well.
        case asked = "optional_no_ca"
        /// Who has none that the server's own authority signed is refused.
        case required = "on"
    }

    /// The host and the port.
    package let address: String
    /// Where its files are, those of its ``certificate`` among them: a client's can be made there.
    package let scratch: ScratchDirectory
    /// What it shows: a certificate for its address alone.
    package let certificate: TestCertificate
    private let server: HeldServer

    /// Starts a server with TLS and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - clients: whether clients are asked for a certificate.
    ///   - locations: what it does, in its own language.
    /// - Throws: ``MissingToolError`` without the tool, ``HeldServerError`` when it does not start.
    package init(clients: ClientCertificates = .ignored, locations: String) throws {
        let scratch = try ScratchDirectory()
        let address = HeldServer.freeAddress()
        let certificate = try TestCertificate.make(in: scratch, for: ["IP:\(address.prefix { $0 != ":" })"])
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { name in
            "\(name)_temp_path \(scratch.path("temp-\(name)"));"
        }
        let configuration = """
            pid \(scratch.path("pid"));
            error_log \(scratch.path("errors"));
            daemon off;
            \(getuid() == 0 ? "user root;" : "")
            worker_processes 1;
            events { worker_connections 256; }
            http {
                log_format seen '$ssl_client_s_dn|$request_method $uri|$http_authorization|$http_proxy_authorization';
                access_log \(scratch.path("log")) seen;
                client_max_body_size 0;
                \(temporary.joined(separator: " "))
                server {
                    listen \(address) ssl;
                    ssl_certificate \(certificate.certificatePath);
                    ssl_certificate_key \(certificate.keyPath);
                    ssl_client_certificate \(certificate.authorityPath);
                    ssl_verify_client \(clients.rawValue);
                    \(locations)
                }
            }

            """
        let path = try scratch.write(configuration, to: "nginx.conf")
        server = try HeldServer(
            "nginx",
            ["-e", scratch.path("errors"), "-c", path],
            at: address,
            log: scratch.path("out")
        )
        self.scratch = scratch
        self.address = address
        self.certificate = certificate
    }

    /// What it was asked, each as: who the client's certificate is for, the request, `Authorization`,
    /// `Proxy-Authorization`; what was not there is empty or `-`.
    package var requests: [String] {
        String(decoding: (try? scratch.read("log")) ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Ends the server; then all that it was asked is in its log.
    package func stop() { server.stop() }
}
