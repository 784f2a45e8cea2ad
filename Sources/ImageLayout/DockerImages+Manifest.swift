import OCI

extension DockerImages {
    /// Adds the images that `manifest.json` lists.
    ///
    /// Docker writes it since version 1.10, and so do all that write archives for it.
    mutating func addImages() throws(LayoutError) {
        let path = LayoutPath.dockerManifest
        let list = try entries.find(path, namedBy: path, in: file)
        let images: [ListedImage] = try file.decode(path, list.range, limit: LayoutReader.indexByteLimit)
        for image in images { try add(image) }
    }

    private mutating func add(_ image: ListedImage) throws(LayoutError) {
        let source = LayoutPath.dockerManifest
        let paths = image.layers ?? []
        try countLayers(paths.count, for: source)
        let config = try entries.find(image.config, namedBy: source, in: file)
        let (descriptor, diffIDs) = try read(config)
        guard paths.count == diffIDs.count else {
            throw file.error(.differentLayerCounts(layers: paths.count, diffIDs: diffIDs.count), entry: config.path)
        }
        var descriptors: [Descriptor] = []
        for (path, diffID) in zip(paths, diffIDs) {
            let layer = try entries.find(path, namedBy: source, in: file)
            let descriptor = try layers.descriptor(of: layer, diffID: diffID)
            add(descriptor.digest, at: layer.range)
            descriptors.append(descriptor)
        }
        try add(config: descriptor, layers: descriptors, tags: image.tags ?? [], namedBy: source)
    }

    /// Reads a config, once however many images have it.
    private mutating func read(
        _ config: DockerEntries.File
    ) throws(LayoutError) -> (descriptor: Descriptor, diffIDs: [Digest]) {
        if let known = configs[config.range.lowerBound] { return known }
        let bytes = try file.bytes(of: config.path, config.range, limit: ImageConfig.byteLimit)
        try countDocument(bytes.count, for: config.path)
        let digest = try file.digest(of: bytes, .sha256)
        // Most are called after their digests, which is all that tells damage.
        if let claimed = config.claimedDigest, claimed != digest {
            throw file.error(.wrongDigest(expected: claimed, actual: digest), entry: config.path)
        }
        let diffIDs: [Digest]
        do {
            diffIDs = try ImageConfig(bytes: bytes).diffIDs
        } catch {
            throw file.error(.invalidDocument(digest, error), entry: config.path)
        }
        add(digest, at: config.range)
        let descriptor = Descriptor(mediaType: .ociConfig, digest: digest, size: Int64(bytes.count))
        configs[config.range.lowerBound] = (descriptor, diffIDs)
        return (descriptor, diffIDs)
    }
}

/// An entry of `manifest.json`, as far as it matters.
private struct ListedImage: Decodable {
    let config: String
    let tags: [String]?
    let layers: [String]?

    private enum CodingKeys: String, CodingKey {
        case config = "Config"
        case tags = "RepoTags"
        case layers = "Layers"
    }
}

extension DockerEntries.File {
    /// The digest that a config's path is: `<hex>.json`, `sha256:<hex>` or `blobs/sha256/<hex>`; nil where it is none.
    fileprivate var claimedDigest: Digest? {
        if let blob = LayoutPath.digest(ofBlob: path) { return blob }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let hex = name.hasSuffix(".json") ? String(name.dropLast(5)) : name
        return try? Digest(parsing: hex.hasPrefix("sha256:") ? hex : "sha256:\(hex)")
    }
}
