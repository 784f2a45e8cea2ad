import NIOCore
import NIOSSL

/// Whether a certificate is for an address, where the TLS library cannot tell: the other end of the connection is a
/// proxy's.
///
/// The library has verified who vouches for the certificate by then.
enum PeerAddress {
    /// The certificate is for another host.
    struct Mismatch: Error {}

    /// Verifies the certificate that a host has shown.
    ///
    /// - Throws: ``Mismatch``, also where it has shown none.
    static func verify(_ address: IPAddress, on channel: any Channel) throws {
        let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate()
        let names = certificate?._subjectAlternativeNames()
        let isNamed = names?.contains { $0.nameType == .ipAddress && Array($0.contents) == address.bytes }
        guard isNamed ?? false else { throw Mismatch() }
    }
}
