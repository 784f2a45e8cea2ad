import NIOCore
import NIOSSL

/// Whether a certificate is for a host that is reached through a proxy.
///
/// The library has verified who vouches for it by then. But it takes the address of the connection's other end for the
/// host's, and that is the proxy's.
enum PeerName {
    /// The certificate is for another host.
    struct Mismatch: Error {}

    /// Verifies the certificate that a host has shown.
    ///
    /// - Parameters:
    ///   - host: the name, which the library has looked for as well, or the address, for which it has not.
    ///   - channel: the connection.
    /// - Throws: ``Mismatch``, also where it has shown none.
    static func verify(_ host: String, on channel: any Channel) throws {
        guard let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate() else { throw Mismatch() }
        let names = certificate._subjectAlternativeNames()
        if let address = IPAddress(host) {
            let isNamed = names.contains { $0.nameType == .ipAddress && Array($0.contents) == address.bytes }
            guard isNamed else { throw Mismatch() }
        } else if names.contains(where: { $0.nameType == .ipAddress }) {
            // It may have been taken for one of these.
            let isNamed = names.contains { name in
                name.nameType == .dnsName && matches(String(decoding: Array(name.contents), as: UTF8.self), host)
            }
            guard isNamed else { throw Mismatch() }
        }
    }

    /// Whether a name in a certificate is for a host: the same, or with a star for its first part.
    static func matches(_ name: String, _ host: String) -> Bool {
        let name = name.lowercased()
        var host = host.lowercased()
        if host.hasSuffix(".") { host.removeLast() }
        guard name.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot != host.startIndex else {
            return name == host
        }
        return name.dropFirst() == host[dot...]
    }
}
