/// A public key that signatures are checked with: ECDSA on P-256, or Ed25519.
///
/// These two are what cosign makes and what every signer of images can make. The value is the key's bytes; what OpenSSL
/// needs is made of them for each check, so that a key is shared between threads like any other value.
package struct PublicKey: Hashable, Sendable {
    /// What a key signs with.
    package enum Algorithm: String, Hashable, Sendable {
        /// ECDSA on P-256 over the SHA-256 of the message; the signature is ASN.1 in DER.
        case ecdsaP256
        /// Ed25519 over the message itself; the signature has 64 bytes. Spec: RFC 8032 "EdDSA Instances", Ed25519.
        case ed25519
    }

    /// The most bytes of a key's text.
    package static let byteLimit = 64 << 10

    /// What the key signs with.
    package let algorithm: Algorithm
    /// What RFC 5280 calls `SubjectPublicKeyInfo`, as it came.
    private let der: [UInt8]

    /// Reads a key.
    ///
    /// - Parameter pem: one PEM block `PUBLIC KEY`, with any text before and after it.
    /// - Throws: ``SignatureError`` when it is too large, no PEM, no public key, or one of another algorithm.
    package init(pem: [UInt8]) throws(SignatureError) {
        guard pem.count <= Self.byteLimit else { throw SignatureError(.tooLarge(byteCount: pem.count)) }
        let block = try PEMBlock(parsing: pem)
        guard block.label == "PUBLIC KEY" else { throw SignatureError(.wrongBlock(label: block.label)) }
        guard let content = block.content else { throw SignatureError(.unreadable(reason: "it is not Base64")) }
        guard let handle = KeyHandle(der: content) else {
            throw SignatureError(.unreadable(reason: "OpenSSL finds no key in it"))
        }
        guard let algorithm = handle.algorithm else {
            throw SignatureError(.wrongAlgorithm(name: handle.algorithmName))
        }
        guard handle.isValid else { throw SignatureError(.unreadable(reason: "it is no point of the curve")) }
        self.algorithm = algorithm
        der = content
    }

    /// Whether the holder of the private key has signed a message.
    ///
    /// - Parameters:
    ///   - signature: the signature in the form of ``Algorithm``; one of any other form is wrong, not an error.
    ///   - message: what was signed, not its digest.
    /// - Returns: true only where OpenSSL has checked it and found it right.
    package func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let handle = KeyHandle(der: der) else { return false }
        return handle.verifies(signature, of: message, with: algorithm)
    }
}
