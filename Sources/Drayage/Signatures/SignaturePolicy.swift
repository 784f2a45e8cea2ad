/// Who must have signed which images for them to enter a bundle.
///
/// Signatures are those that `cosign sign --key` makes, in the registry beside the image: over the digest of its index, or
/// of its manifest where it has no index. Those without a key (through a certificate that was valid for minutes) are not
/// verified.
public struct SignaturePolicy: Sendable {
    /// A key, and what it is called.
    struct Key: Sendable {
        let name: String
        let key: PublicKey
    }

    private var general: [Key] = []
    private var particular: [(pattern: RepositoryPattern, key: Key)] = []

    /// Demands nothing.
    public init() {}

    /// Whether any image may have to be signed.
    public var isEmpty: Bool { general.isEmpty && particular.isEmpty }

    /// Demands signatures by a key.
    ///
    /// Of several keys that are for a repository any one is enough.
    ///
    /// - Parameters:
    ///   - pem: the public key in PEM: ECDSA on P-256, or Ed25519.
    ///   - name: what errors call it.
    ///   - pattern: the repositories that it is for: `ghcr.io/acme/*`, where `*` stands for anything within one part and
    ///     `**` for anything; nil is all for which no pattern is.
    /// - Throws: ``DrayageError`` with `usage` for what is no such key, or no such pattern.
    public mutating func addKey(pem: [UInt8], named name: String, for pattern: String? = nil) throws {
        let key: Key
        do {
            key = Key(name: name.printable, key: try PublicKey(pem: pem))
        } catch {
            throw DrayageError(.usage, "reading the key \(name.printable)", underlying: error)
        }
        guard let pattern else { return general.append(key) }
        do {
            particular.append((try RepositoryPattern(parsing: pattern), key))
        } catch {
            throw DrayageError(.usage, "reading for which repositories \(name.printable) is", underlying: error)
        }
    }

    /// Lines about what of it is for nothing: who mistypes a pattern demands nothing of anybody.
    ///
    /// - Parameter images: all that are to be bundled.
    /// - Returns: the lines.
    func notes(of images: [Repository]) -> [String] {
        let idle = particular.filter { entry in !images.contains(where: entry.pattern.matches) }.map { entry in
            "no image is in \(entry.pattern), for which \(entry.key.name) is"
        }
        let free = isEmpty ? 0 : images.count { keys(for: $0).isEmpty }
        guard free > 0 else { return idle }
        return idle + ["no key is for \(free == 1 ? "1 image" : "\(free) images"), which nobody need have signed"]
    }

    /// The keys of which one must have signed what is in a repository; none where nobody need have.
    func keys(for repository: Repository) -> [Key] {
        let own = particular.filter { $0.pattern.matches(repository) }.map(\.key)
        return own.isEmpty ? general : own
    }
}
