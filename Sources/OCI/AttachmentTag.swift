/// A tag that is named after the digest that it belongs to: `sha256-<hex>`, perhaps with something after it.
///
/// Without anything it is the list of what refers to the digest, where a registry has no Referrers API; with `.sig`, `.att`
/// or `.sbom` it is a signature, an attestation or an SBOM as cosign puts them.
///
/// Spec: distribution "Referrers Tag Schema".
package enum AttachmentTag {
    /// What cosign has behind the digest.
    private static let cosignSuffixes = [".sig", ".att", ".sbom"]

    /// The digest, as far as a tag can hold it: the hex is cut off after 64 digits.
    package struct Key: Hashable, Sendable {
        private let text: Substring

        /// What tags of a digest begin with.
        package init(_ digest: Digest) { text = "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))" }

        /// The digest that a tag is named after; nil where it is a tag of any other kind.
        package init?(of tag: Tag) {
            let name = tag.description.prefix { $0 != "." }
            let parts = name.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Digest.Algorithm(rawValue: String(parts[0])) != nil, parts[1].utf8.count == 64,
                parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
            else { return nil }
            text = name
        }

        fileprivate func tag(_ suffix: String) -> Tag? { try? Tag(parsing: text + suffix) }
    }

    /// The tag under which the referrers of a digest are listed.
    package static func list(of digest: Digest) -> Tag? { Key(digest).tag("") }

    /// The tags that cosign gives to what belongs to a digest.
    package static func cosign(of digest: Digest) -> [Tag] { cosignSuffixes.compactMap(Key(digest).tag) }
}
