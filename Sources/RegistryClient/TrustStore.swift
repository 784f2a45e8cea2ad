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
        /// Whose certificates are at work besides those for all.
        struct Source: Hashable, Sendable {
            /// The host, where it has something to itself.
            let host: String?
            /// The registry whose authorities are trusted there too.
            let registry: String?
            /// Whether a certificate of ours is not shown.
            let isAnonymous: Bool
        }

        /// Nil for all hosts that are alike.
        let source: Source?
        let tls: TLSConfiguration
    }

    /// What the files and the command line say of a host.
    private struct Host {
        var certificates = HostCertificates()
        var isUnverified = false
    }

    private let common: TLSConfiguration
    private let folders: [String]
    private let unverifiedHosts: Set<String>
    private let hosts = Mutex<[URLParts.Origin: Result<Host, TrustError>]>([:])

    private static let hostLimit = 1024

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
    /// The files of each host are read once.
    ///
    /// - Parameters:
    ///   - origin: the host.
    ///   - registry: the registry that has sent us there: its authorities are trusted for its token server, and for
    ///     where it keeps blobs, as well. Neither its certificate of ours nor a missing verification goes there.
    ///   - isAnonymous: whether a certificate of ours is not shown there.
    /// - Returns: what holds.
    /// - Throws: ``TrustError`` where one of their files cannot be used.
    func trust(
        for origin: URLParts.Origin,
        sentBy registry: URLParts.Origin? = nil,
        isAnonymous: Bool = false
    ) throws(TrustError) -> HostTrust {
        let own = try host(origin)
        let others = try registry.flatMap { $0 == origin ? nil : $0 }.map(host)?.certificates.authorities ?? []
        let vouching = own.isUnverified || others.isEmpty ? nil : registry?.authority
        guard own.isUnverified || !own.certificates.isEmpty || vouching != nil else {
            return HostTrust(source: nil, tls: common)
        }
        var tls = common
        if own.isUnverified { tls.certificateVerification = .none }
        for authorities in [own.certificates.authorities, vouching == nil ? [] : others] where !authorities.isEmpty {
            tls.additionalTrustRoots.append(.certificates(authorities))
        }
        if !isAnonymous, let identity = own.certificates.identity {
            tls.certificateChain = identity.chain.map { .certificate($0) }
            tls.privateKey = .privateKey(identity.key)
        }
        let isSpecial = own.isUnverified || !own.certificates.isEmpty
        let host = isSpecial ? origin.authority : nil
        return HostTrust(source: .init(host: host, registry: vouching, isAnonymous: isAnonymous), tls: tls)
    }

    /// Whether a host's certificate is verified.
    func isVerified(_ origin: URLParts.Origin) -> Bool { unverifiedHosts.isDisjoint(with: origin.names) }

    private func host(_ origin: URLParts.Origin) throws(TrustError) -> Host {
        guard origin.scheme == "https" else { return Host() }
        if let known = hosts.withLock({ $0[origin] }) { return try known.get() }
        let result: Result<Host, TrustError>
        do throws(TrustError) {
            let certificates = try HostCertificates(in: folders, names: origin.names)
            result = .success(Host(certificates: certificates, isUnverified: !isVerified(origin)))
        } catch {
            result = .failure(error)
        }
        hosts.withLock { hosts in
            // Registries may send us to ever new hosts.
            if hosts.count >= Self.hostLimit { hosts = [:] }
            hosts[origin] = result
        }
        return try result.get()
    }
}
