import OCI

/// A layer as Docker before version 1.10 kept it, an image of its own.
struct LegacyLayer {
    /// The layer beneath; nil for the base.
    let parent: String?
    /// What the config says of it.
    let history: LegacyHistory
    /// Its content; nil where it has none.
    let descriptor: Descriptor?
}

extension DockerImages {
    /// Adds the images that `repositories` lists, in the order of their names.
    mutating func addLegacyImages() throws(LayoutError) {
        let path = LayoutPath.dockerRepositories
        let list = try entries.find(path, namedBy: path, in: file)
        let limit = LayoutReader.indexByteLimit
        let repositories: [String: [String: String]] = try file.decode(path, list.range, limit: limit)
        var names: [String: [String]] = [:]
        for (repository, tags) in repositories {
            for (tag, id) in tags { names[id, default: []].append("\(repository):\(tag)") }
        }
        // An object's fields have no order, so the names give one.
        let images = names.map { (id: $0.key, tags: $0.value.sorted()) }
        for image in images.sorted(by: { ($0.tags.first ?? "") < ($1.tags.first ?? "") }) {
            let (config, layers) = try legacyImage(image.id)
            try add(config: config, layers: layers, tags: image.tags, namedBy: path)
        }
    }

    /// Makes the config of an image of its layers, as Docker does when it loads one.
    private mutating func legacyImage(
        _ top: String
    ) throws(LayoutError) -> (config: Descriptor, layers: [Descriptor]) {
        let chain = try legacyChain(top)
        let layers = chain.compactMap(\.descriptor)
        let (bytes, path) = try legacyBytes(top, namedBy: LayoutPath.dockerRepositories)
        guard var fields = JSONFields(bytes) else {
            throw file.error(.unreadable(reason: "it is no JSON object, or has a field twice"), entry: path)
        }
        for field in ["id", "parent", "parent_id", "layer_id", "Size", "throwaway"] { fields[field] = nil }
        fields["rootfs"] = try deterministicJSON(LegacyRootFileSystem(layers))
        fields["history"] = try deterministicJSON(chain.map(\.history))
        let config = try fields.bytes
        guard config.count <= ImageConfig.byteLimit else {
            throw file.error(.tooManyBytes(Int64(config.count), limit: ImageConfig.byteLimit), entry: path)
        }
        let digest = try add(made: config, for: path)
        return (Descriptor(mediaType: .ociConfig, digest: digest, size: Int64(config.count)), layers)
    }

    /// The layers of an image, base first.
    private mutating func legacyChain(_ top: String) throws(LayoutError) -> [LegacyLayer] {
        var chain: [LegacyLayer] = []
        var seen: Set<String> = []
        var (next, source): (String?, String) = (top, LayoutPath.dockerRepositories)
        while let id = next {
            guard seen.insert(id).inserted else { throw file.error(.parentLoop(id), entry: source) }
            guard chain.count < Self.layerLimit else {
                throw file.error(.tooManyLayers(limit: Self.layerLimit), entry: source)
            }
            let layer = try legacyLayer(id, namedBy: source)
            chain.append(layer)
            (next, source) = (layer.parent, "\(id)/json")
        }
        try countLayers(chain.count, for: source)
        return chain.reversed()
    }

    /// Reads a layer, once however many images have it.
    private mutating func legacyLayer(_ id: String, namedBy source: String) throws(LayoutError) -> LegacyLayer {
        if let known = legacyLayers[id] { return known }
        let (bytes, path) = try legacyBytes(id, namedBy: source)
        try countDocument(bytes.count, for: path)
        let image: LegacyImage = try file.decode(bytes, entry: path)
        let layer = LegacyLayer(
            parent: image.parent.flatMap { $0.isEmpty ? nil : $0 },
            history: image.history,
            descriptor: image.throwaway == true ? nil : try legacyContent(id, namedBy: path)
        )
        legacyLayers[id] = layer
        return layer
    }

    private mutating func legacyContent(_ id: String, namedBy source: String) throws(LayoutError) -> Descriptor {
        let layer = try entries.find("\(id)/layer.tar", namedBy: source, in: file)
        let descriptor = try layers.plainDescriptor(of: layer)
        add(descriptor.digest, at: layer.range)
        return descriptor
    }

    private func legacyBytes(
        _ id: String,
        namedBy source: String
    ) throws(LayoutError) -> (bytes: [UInt8], path: String) {
        let json = try entries.find("\(id)/json", namedBy: source, in: file)
        return (try file.bytes(of: json.path, json.range, limit: ImageConfig.byteLimit), json.path)
    }
}
