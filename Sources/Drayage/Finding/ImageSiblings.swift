import YAML

/// The fields of a mapping that may be parts of an image: the first with each name.
struct ImageSiblings {
    private(set) var entries: [YAMLMapping.Entry] = []

    init() {}

    init(of mapping: YAMLMapping) {
        for entry in mapping.entries where isNew(entry.key) { entries.append(entry) }
    }

    /// Adds a field whose value an event begins.
    ///
    /// Of a value that is no scalar only counts that there is one.
    mutating func add(_ key: YAMLScalar, _ event: YAMLEvent) {
        guard isNew(key) else { return }
        let value = if case .scalar(let scalar) = event { YAMLNode.scalar(scalar) } else { YAMLNode.alias }
        entries.append(YAMLMapping.Entry(key: key, value: value))
    }

    private func isNew(_ key: YAMLScalar) -> Bool {
        switch key.value {
        case "registry", "hub", "tag", "imageTag", "digest", "version": self[key.value] == nil
        default: false
        }
    }

    subscript(key: String) -> YAMLNode? { entries.first { $0.key.value == key }?.value }

    /// The host, and perhaps a path on it.
    var registry: YAMLScalar? { self["registry"]?.text ?? self["hub"]?.text }

    var tag: YAMLScalar? { self["tag"]?.textOrNumber ?? self["imageTag"]?.textOrNumber }

    var digest: YAMLScalar? { self["digest"]?.text }

    /// Whether a tag is meant to be added that is not given here, or not as one.
    var wantTag: Bool { self["tag"] != nil || self["imageTag"] != nil || self["version"]?.textOrNumber != nil }
}
