/// The manifest of one image or artifact, OCI or Docker schema 2.
///
/// Spec: image "OCI Image Manifest Specification".
package struct ImageManifest: Hashable, Sendable {
    /// The config.
    package let config: Descriptor
    /// The layers, base first.
    package let layers: [Descriptor]
    /// What this manifest refers to, where it is a signature, an attestation or another referrer.
    package let subject: Descriptor?

    /// The layers that are fetched from their makers, and that registries need not hold.
    package var foreignLayers: [Descriptor] { layers.filter(\.isForeignLayer) }

    /// The blobs that a registry holds for it: the config, and the layers that may be distributed.
    package var blobs: [Descriptor] {
        // Without an array on the way: thousands of manifests are asked for them.
        var blobs: [Descriptor] = []
        blobs.reserveCapacity(1 + layers.count)
        blobs.append(config)
        for layer in layers where !layer.isForeignLayer { blobs.append(layer) }
        return blobs
    }
}

/// An index or a Docker manifest list: manifests for several platforms under one name.
///
/// Spec: image "OCI Image Index Specification".
package struct ImageIndex: Hashable, Sendable {
    /// The most manifests that an image may have beneath it.
    package static let childLimit = 10_000
    /// The most levels of indexes that an image may have.
    package static let nestingLimit = 8

    /// The children, in the index's order.
    package let manifests: [Descriptor]
    /// What this index refers to, where it is a referrer.
    package let subject: Descriptor?
}
