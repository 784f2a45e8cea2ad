/// A text that is no key with which signatures can be checked.
package struct SignatureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        case empty
        case tooLarge(byteCount: Int)
        /// No PEM block, or one that does not end.
        case notPEM
        /// A PEM block that holds something else; the label is what stands between `BEGIN` and the dashes.
        case wrongBlock(label: String)
        case severalBlocks
        /// The block is a public key by its label, but not by its content.
        case unreadable(reason: String)
        /// A public key of another algorithm or on another curve.
        case wrongAlgorithm(name: String)
    }

    /// What is wrong with it.
    package let code: Code

    init(_ code: Code) { self.code = code }

    /// The cause alone; who throws it on adds the subject.
    package var description: String {
        "\(reason); a public key in PEM for ECDSA on P-256 or for Ed25519 is taken"
    }

    private var reason: String {
        switch code {
        case .empty: "it is empty"
        case .tooLarge: "it has more than \(PublicKey.byteLimit >> 10) KiB"
        case .notPEM: "it has no whole PEM block"
        case .wrongBlock(let label): "it is \(Self.name(of: label))"
        case .severalBlocks: "it has more than one PEM block"
        case .unreadable(let reason): "its public key cannot be read: \(reason.printableExcerpt)"
        case .wrongAlgorithm(let name): "it is a public key for \(name.printableExcerpt)"
        }
    }

    /// What a block is, in words.
    private static func name(of label: String) -> String {
        // Of every kind, and cosign's own encrypted ones.
        if label.hasSuffix("PRIVATE KEY") { return "a private key" }
        switch label {
        case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE": return "a certificate"
        case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST": return "a request for a certificate"
        case "RSA PUBLIC KEY": return "a public key for RSA"
        case "PGP PUBLIC KEY BLOCK": return "an OpenPGP key"
        default: return "a PEM block of another kind, \"\(label.printableExcerpt)\""
        }
    }
}
