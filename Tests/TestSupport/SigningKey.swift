/// A pair of keys with which tests sign, made by `openssl`.
package struct SigningKey: Sendable {
    /// What it signs with.
    package enum Kind: String, Sendable, CaseIterable {
        case ecdsaP256
        case ed25519
    }

    /// What it signs with.
    package let kind: Kind
    /// The public key in PEM.
    package let publicPEM: [UInt8]
    private let scratch: ScratchDirectory

    /// Makes a pair.
    ///
    /// - Throws: what `openssl` says.
    package init(_ kind: Kind = .ecdsaP256) throws {
        self.kind = kind
        scratch = try ScratchDirectory()
        let algorithm =
            switch kind {
            case .ecdsaP256: ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .ed25519: ["ED25519"]
            }
        try Command("openssl", ["genpkey", "-out", scratch.path("key"), "-algorithm"] + algorithm).check()
        publicPEM = try Command("openssl", ["pkey", "-pubout", "-in", scratch.path("key")]).check().output
    }

    /// Signs a message.
    ///
    /// - Throws: what `openssl` says.
    package func sign(_ message: [UInt8]) throws -> [UInt8] {
        let key = scratch.path("key")
        switch kind {
        case .ecdsaP256:
            return try Command("openssl", ["dgst", "-sha256", "-sign", key], input: message).check().output
        case .ed25519:
            // It has to know the length first, so it reads no pipe. Two tests may sign at once.
            let scratch = try ScratchDirectory()
            let file = try scratch.write(message, to: "message")
            return try Command("openssl", ["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file]).check().output
        }
    }
}
