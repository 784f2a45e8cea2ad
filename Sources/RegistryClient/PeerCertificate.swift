import CLibCrypto
import NIOSSL

/// The certificate that a server has shown, as far as a person wants to know it.
package struct PeerCertificate: Hashable, Sendable {
    /// Who signed it: `/C=US/O=Example/CN=Site CA`.
    package let issuer: String
    /// When it ends, in seconds since 1970.
    package let endSecondsSince1970: Int64

    /// Reads a certificate; nil where it cannot be read.
    init?(_ certificate: NIOSSLCertificate) {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        let issuer: String? = unsafe bytes.withUnsafeBufferPointer { buffer in
            var next = buffer.baseAddress
            guard let parsed = unsafe d2i_X509(nil, &next, buffer.count) else { return nil }
            defer { unsafe X509_free(parsed) }
            guard let text = unsafe X509_NAME_oneline(X509_get_issuer_name(parsed), nil, 0) else { return nil }
            defer { unsafe CRYPTO_free(text, nil, 0) }
            return unsafe String(cString: text)
        }
        guard let issuer else { return nil }
        self.issuer = issuer
        endSecondsSince1970 = Int64(certificate.notValidAfter)
    }
}
