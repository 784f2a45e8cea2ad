import FoundationEssentials
import NIOSSL
import Synchronization

/// What is trusted on each host, and which certificate is shown there.
///
/// Trusted are the system's authorities, those of `--ca-file` and `SSL_CERT_FILE`, and those that docker and podman keep
/// for the host. A certificate of ours is shown only to the host that it is kept for.
final class TrustStore: Sendable {
    /// What holds on one host.
    struct HostTrust: Sendable {
        /// The host, where it has something to itself; nil for all others, which are alike.
        let name: String?
        let tls: TLSConfiguration
    }

    private let common: TLSConfiguration
    private let folders: [String]
    private let unverifiedHosts: Set<String>
    private let hosts = Mutex<[URLParts.Origin: Result<HostTrust, TrustError>]>([:])

    /// Where distributions keep the authorities that they trust: all in one file, or one to a file in a directory.
    static let systemFiles =
        libraryPaths + [
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
        ]
    /// Those that the TLS library looks at.
    private static let libraryPaths = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs",
    ]

    /// Reads what is trusted everywhere.
    ///
    /// - Throws: ``TrustError`` for a bad file.
    init(_ configuration: RegistryClient.Configuration) throws(TrustError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.trustRoots = Self.systemRoots(configuration.systemCAFiles)
        var authorities: [NIOSSLCertificate] = []
        if let path = configuration.caFile { authorities += try PEMFile.certificates(path) }
        if let path = configuration.environmentCAFile {
            do {
                authorities += try PEMFile.certificates(path)
            } catch {
                var error = error
                error.variable = "SSL_CERT_FILE"
                throw error
            }
        }
        if !authorities.isEmpty { tls.additionalTrustRoots = [.certificates(authorities)] }
        common = tls
        folders = configuration.certificateFolders
        unverifiedHosts = Set(configuration.insecureRegistries.map { $0.lowercased() })
    }

    /// The system's authorities: as the library finds them, or in a file that it does not know, or none.
    ///
    /// The library fails on a system without any, where an authority of one's own is enough.
    private static func systemRoots(_ paths: [String]) -> NIOSSLTrustRoots {
        let present = paths.filter { FileManager.default.fileExists(atPath: $0) }
        if present.contains(where: libraryPaths.contains) { return .default }
        return present.first.map { .file($0) } ?? .certificates([])
    }

    /// What holds on a host.
    ///
    /// Its files are read once.
    ///
    /// - Throws: ``TrustError`` where one of its files cannot be used.
    func trust(for origin: URLParts.Origin) throws(TrustError) -> HostTrust {
        guard origin.scheme == "https" else { return HostTrust(name: nil, tls: common) }
        if let known = hosts.withLock({ $0[origin] }) { return try known.get() }
        let result: Result<HostTrust, TrustError>
        do throws(TrustError) {
            result = .success(try read(origin))
        } catch {
            result = .failure(error)
        }
        hosts.withLock { $0[origin] = result }
        return try result.get()
    }

    private func read(_ origin: URLParts.Origin) throws(TrustError) -> HostTrust {
        let names = origin.names
        let own = try HostCertificates(in: folders, names: names)
        let isUnverified = !unverifiedHosts.isDisjoint(with: names)
        guard !own.isEmpty || isUnverified else { return HostTrust(name: nil, tls: common) }
        var tls = common
        if isUnverified { tls.certificateVerification = .none }
        if !own.authorities.isEmpty { tls.additionalTrustRoots.append(.certificates(own.authorities)) }
        if let identity = own.identity {
            tls.certificateChain = identity.chain.map { .certificate($0) }
            tls.privateKey = .privateKey(identity.key)
        }
        return HostTrust(name: origin.authority, tls: tls)
    }
}
