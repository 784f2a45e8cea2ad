package import OCI

/// The layers that are fetched from their makers, of those that manifests name.
package enum ForeignLayers: Equatable, Sendable {
    case none
    case all
    case some(Set<Digest>)

    /// Whether a layer is one of them.
    package func contains(_ layer: Descriptor) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .some(let digests): digests.contains(layer.digest)
        }
    }
}
