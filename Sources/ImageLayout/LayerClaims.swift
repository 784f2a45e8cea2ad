import Archive
package import OCI

/// What the manifests and the configs of a bundle say of what its layers hold.
package struct LayerClaims: Sendable {
    /// What one manifest and its config say of a layer.
    struct Claim: Hashable {
        /// How the manifest says that it is compressed; nil where it says that it is not.
        let compression: Compression?
        let manifest: Digest
        /// The digest that its content has as the config says; nil where no config says.
        let diffID: Digest?
        let config: Digest
    }

    /// What is wrong with the configs themselves, or between them and their manifests.
    package private(set) var problems: [LayoutError.Code] = []
    /// The layers that are encrypted: nobody who lacks the key can say what they hold.
    package private(set) var encrypted: Set<Digest> = []

    private var claims: [Digest: [Claim]] = [:]
    private var known: [Digest: Set<Claim>] = [:]

    /// Whether anything is said of what a blob holds.
    package func concern(_ blob: Digest) -> Bool { claims[blob] != nil }

    /// What is said of a layer, each claim once.
    func claims(of layer: Digest) -> [Claim] { claims[layer] ?? [] }

    fileprivate mutating func add(_ manifest: ImageManifest, digest: Digest, config: ImageConfig?) {
        var diffIDs = config?.diffIDs
        // Artifacts that have an image's config for want of one of their own say nothing in it.
        if diffIDs?.isEmpty == true, !manifest.layers.contains(where: \.mediaType.isImageLayer) { diffIDs = nil }
        if let found = diffIDs, found.count != manifest.layers.count {
            let (layers, config) = (manifest.layers.count, manifest.config.digest)
            problems.append(
                .wrongLayerCount(manifest: digest, config: config, layers: layers, diffIDs: found.count)
            )
            diffIDs = nil
        }
        for (place, layer) in manifest.layers.enumerated() {
            let claim = Claim(
                compression: layer.mediaType.compression,
                manifest: digest,
                diffID: diffIDs?[place],
                config: manifest.config.digest
            )
            if layer.mediaType.isEncrypted {
                encrypted.insert(layer.digest)
            } else if claim.compression != nil || claim.diffID != nil,
                known[layer.digest, default: []].insert(claim).inserted
            {
                claims[layer.digest, default: []].append(claim)
            }
        }
    }

    /// Forgets what only adding needs.
    fileprivate mutating func seal() { known = [:] }

    fileprivate mutating func note(_ problem: LayoutError.Code) { problems.append(problem) }
}

extension LayoutReader {
    /// Reads the configs of all images, each once, and puts together what is said of the layers.
    ///
    /// A config that is missing or is not what its digest says is left out: that is told elsewhere.
    ///
    /// - Parameter advanced: is called before each config; what it throws ends the work.
    /// - Returns: what is said of the layers, and what is wrong with the configs.
    /// - Throws: what `advanced` throws.
    package func layerClaims(advanced: () throws -> Void = {}) throws -> LayerClaims {
        var byConfig: [Digest: [(digest: Digest, manifest: ImageManifest)]] = [:]
        for (digest, document) in documents.sorted(by: { $0.key < $1.key }) {
            guard case .manifest(let manifest) = document.content else { continue }
            byConfig[manifest.config.digest, default: []].append((digest, manifest))
        }
        var claims = LayerClaims()
        for (digest, users) in byConfig.sorted(by: { $0.key < $1.key }) {
            try advanced()
            let isRead = users.contains { $0.manifest.config.mediaType.isImageConfig }
            let config = isRead ? config(digest, &claims) : nil
            for user in users {
                let isImage = user.manifest.config.mediaType.isImageConfig
                claims.add(user.manifest, digest: user.digest, config: isImage ? config : nil)
            }
        }
        claims.seal()
        return claims
    }

    private func config(_ digest: Digest, _ claims: inout LayerClaims) -> ImageConfig? {
        guard let count = byteCount(of: digest) else { return nil }
        do throws(DocumentError) {
            guard count <= ImageConfig.byteLimit else {
                throw DocumentError(.configTooLarge(byteCount: Int(count)))
            }
            // Whoever verifies the blob itself hears why it cannot be read.
            guard let bytes = try? bytes(of: digest, limit: ImageConfig.byteLimit) else { return nil }
            return try ImageConfig(bytes: bytes)
        } catch {
            claims.note(.invalidDocument(digest, error))
            return nil
        }
    }
}

extension MediaType {
    /// How what is of this type is compressed, as the type says; nil where it says nothing.
    ///
    /// Spec: image "Layer Media Types", and the suffixes that artifacts took over from there.
    fileprivate var compression: Compression? {
        if ["+gzip", ".tar.gzip"].contains(where: rawValue.hasSuffix) { return .gzip }
        return ["+zstd", ".tar.zstd"].contains(where: rawValue.hasSuffix) ? .zstd : nil
    }

    /// Whether this is a file system's layer, in whatever way it is compressed.
    fileprivate var isImageLayer: Bool {
        isNondistributable || rawValue.hasPrefix("application/vnd.oci.image.layer.v1.")
            || rawValue.hasPrefix("application/vnd.docker.image.rootfs.")
    }

    /// Whether this is a layer that only who has a key can read, as ocicrypt marks it.
    fileprivate var isEncrypted: Bool { rawValue.hasSuffix("+encrypted") }
}
