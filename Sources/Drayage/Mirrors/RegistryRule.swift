/// A `[[registry]]` of a `registries.conf`: where what begins with a prefix is asked for.
///
/// Spec: containers-registries.conf(5) "NAMESPACED [[registry]] SETTINGS".
struct RegistryRule: Hashable, Sendable {
    /// Which references it is about.
    enum Prefix: Hashable, Sendable, CustomStringConvertible {
        case namespace(RegistryNamespace)
        /// One image, by its tag or its digest.
        case image(Reference)
        /// Every host that ends with this, which begins with a dot.
        case subdomains(String)

        /// As it stands in the file.
        var description: String {
            switch self {
            case .namespace(let namespace): namespace.description
            case .image(let reference): reference.description
            case .subdomains(let suffix): "*" + suffix
            }
        }

        /// What follows it in the name of a repository; nil where the reference does not begin with it.
        func remainder(of reference: Reference) -> Substring? {
            let repository = reference.repository
            switch self {
            case .namespace(let namespace): return namespace.remainder(of: repository)
            case .image(let image):
                let isMeant =
                    image.digest == nil ? reference.tag == image.tag : reference.description == image.description
                return repository == image.repository && isMeant ? "" : nil
            case .subdomains(let suffix):
                let host = repository.registry.prefix { $0 != ":" }
                return host.hasSuffix(suffix) ? repository.path[...] : nil
            }
        }

        /// How much it says: of two prefixes that a repository has, the one that says more is meant.
        ///
        /// A host is more than the end of one, however long that is.
        func isLess(than other: Prefix) -> Bool {
            switch (self, other) {
            case (.subdomains, .subdomains): description.utf8.count < other.description.utf8.count
            case (.subdomains, _): true
            case (_, .subdomains): false
            default: description.utf8.count < other.description.utf8.count
            }
        }
    }

    /// For which references a mirror is asked.
    enum Use: String, Sendable {
        case all
        case digestOnly = "digest-only"
        case tagOnly = "tag-only"

        /// Whether it is asked for a reference; one with both goes by its digest.
        func includes(_ reference: Reference) -> Bool {
            switch self {
            case .all: true
            case .digestOnly: reference.digest != nil
            case .tagOnly: reference.digest == nil
            }
        }
    }

    /// A `[[registry.mirror]]`.
    struct Mirror: Hashable, Sendable {
        let location: RegistryNamespace
        let isInsecure: Bool
        let use: Use
    }

    let prefix: Prefix
    /// Where what has the prefix is; nil is under its own name.
    let location: RegistryNamespace?
    let isInsecure: Bool
    let isBlocked: Bool
    let mirrors: [Mirror]
    /// The file that it is in.
    let path: String
}
