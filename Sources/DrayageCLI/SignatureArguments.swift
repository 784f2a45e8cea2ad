import ArgumentParser
import Drayage

/// Who must have signed the images.
struct SignatureArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            A public key of which images must be signed to enter the bundle (cosign, ECDSA P-256 or Ed25519), all of \
            them or those of ghcr.io/acme/*=FILE. Repeatable; one of the keys for an image is enough. Signatures without \
            a key are not verified.
            """,
            valueName: "[pattern=]file"
        ),
        completion: .file(extensions: ["pub"])
    )
    var verifyKey: [String] = []

    /// The policy.
    ///
    /// - Throws: `DrayageError` for what is no key, ``KeyFileError`` for what cannot be read.
    func policy() throws -> SignaturePolicy {
        var policy = SignaturePolicy()
        for argument in verifyKey {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (pattern, path) = parts.count == 2 ? (parts[0], parts[1]) : (nil, argument)
            let pem: [UInt8]
            do {
                pem = try Input.read(file: path)
            } catch {
                throw KeyFileError(path: path, reason: "\(error)")
            }
            try policy.addKey(pem: pem, named: path, for: pattern)
        }
        return policy
    }
}

/// A key that cannot be read.
struct KeyFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the key \(path): \(reason)".printable }
}
