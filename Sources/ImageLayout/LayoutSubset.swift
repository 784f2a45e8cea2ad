package import OCI

/// What is there of an image of which some platforms were left out.
package struct LayoutSubset: Hashable, Sendable {
    /// The platforms that were asked for, in order.
    package let platforms: [PlatformSelector]
    /// The index that the image has where it comes from, where it has been given a complete one of its own.
    ///
    /// Its bytes are kept as a record. Nil where the index is what it was, and manifests that it names are not there.
    package let original: Digest?

    /// Notes what is there.
    package init(platforms: [PlatformSelector], original: Digest? = nil) {
        self.platforms = Set(platforms).sorted()
        self.original = original
    }

    /// Whether a manifest that the image's index names need not be there.
    func leavesOut(_ child: Descriptor) -> Bool {
        guard original == nil else { return false }
        guard let platform = child.platform, !child.isAttestation else { return true }
        return !platforms.contains { $0.matches(platform) }
    }

    /// Reads the annotations of an image; nil where they name no platforms.
    init?(_ annotations: [String: String]?) {
        let platforms = annotations?[LayoutAnnotation.platforms]?.split(separator: ",").compactMap {
            PlatformSelector(parsing: String($0))
        }
        guard let platforms, !platforms.isEmpty else { return nil }
        let original = annotations?[LayoutAnnotation.original]
        self.init(platforms: platforms, original: original.flatMap { try? Digest(parsing: $0) })
    }

    /// The annotations that say so.
    var annotations: [String: String] {
        var annotations = [LayoutAnnotation.platforms: platforms.map(\.description).joined(separator: ",")]
        annotations[LayoutAnnotation.original] = original?.description
        return annotations
    }
}
