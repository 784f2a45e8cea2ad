import YAML

// Compose files.
extension ImageCollector {
    /// Takes the fields of a Compose file.
    mutating func compose(_ fields: [ImageField]) {
        var servicesWithImage: Set<String> = []
        for field in fields where field.reason == .image && field.node.text != nil {
            if let service = field.service { servicesWithImage.insert(service) }
        }
        for field in fields {
            object = field.service.map { "service \($0)".printable }
            switch field.reason {
            case .image where field.service != nil || field.isAnchored: image(field.node, at: field.path)
            case .compose where field.service == nil: included(field.node, at: field.path)
            case .compose: serviceField(field, hasImage: field.service.map(servicesWithImage.contains) ?? false)
            default: guess(field.node, at: field.path)
            }
        }
        object = nil
    }

    /// Takes `volumes` or `extends` of a service.
    private mutating func serviceField(_ field: ImageField, hasImage: Bool) {
        switch field.node {
        case .sequence(let volumes):
            for (index, volume) in volumes.enumerated() {
                let path = FieldPath.joined(field.path, index: index)
                guard case .mapping(let mapping) = volume, mapping["type"]?.text?.value == "image",
                    let source = mapping["source"]
                else {
                    guess(volume, at: path)
                    continue
                }
                image(source, at: FieldPath.joined(path, key: "source"))
            }
        case .mapping(let extended):
            guard !hasImage, let file = extended["file"]?.text else { return }
            elsewhere(file, at: FieldPath.joined(field.path, key: "file"))
        case .scalar, .alias: break
        }
    }

    /// Takes `include`, whose elements are paths of files, or mappings that have them.
    private mutating func included(_ node: YAMLNode, at path: String) {
        switch node {
        case .sequence(let elements):
            for (index, element) in elements.enumerated() {
                included(element, at: FieldPath.joined(path, index: index))
            }
        case .mapping(let mapping):
            guard let files = mapping["path"] else { return }
            included(files, at: FieldPath.joined(path, key: "path"))
        case .scalar: if let file = node.text { elsewhere(file, at: path) }
        case .alias: break
        }
    }

    private mutating func elsewhere(_ file: YAMLScalar, at path: String) {
        problem(file.beginning, "images are named there; render it: docker compose config", file, at: path)
    }
}
