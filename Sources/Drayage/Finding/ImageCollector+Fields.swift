import YAML

// Custom resources, values of charts, and whatever else calls its images `image` or `images`: the shapes that
// ``ImageFinder`` lists.
extension ImageCollector {
    /// Keys of a mapping `images` whose texts are no images, even where these look like some.
    private static let otherKeys: Set<String> = [
        "registry", "hub", "repository", "prefix", "path", "url", "tag", "tags", "digest", "version", "type",
        "pullPolicy", "imagePullPolicy", "pullSecret", "pullSecrets", "imagePullSecret", "imagePullSecrets",
    ]

    /// Takes a field that counts by its name.
    mutating func named(_ field: ImageField) {
        switch field.reason {
        case .image: if !field.isInjected { image(field.node, beside: field.siblings, at: field.path) }
        case .images where field.isUnderHost && tagLists(field.node, at: field.path): break
        case .images: contents(of: field.node, isList: true, at: field.path)
        case .tagPatterns: _ = tagLists(field.node, arePatterns: true, at: field.path)
        case .compose: search(field.node, at: field.path)
        case .element, .looks: guess(field.node, at: field.path)
        }
    }

    /// Looks for fields that count by their name.
    mutating func search(_ node: YAMLNode, at path: String) {
        switch node {
        case .mapping(let mapping):
            let siblings = ImageSiblings(of: mapping)
            for entry in mapping.entries {
                search(entry, beside: siblings, at: FieldPath.joined(path, key: entry.key.value))
            }
        case .sequence(let elements):
            for (index, element) in elements.enumerated() {
                search(element, at: FieldPath.joined(path, index: index))
            }
        case .scalar, .alias: guess(node, at: path)
        }
    }

    /// Looks at a field, by its name.
    mutating func search(_ entry: YAMLMapping.Entry, beside siblings: ImageSiblings, at path: String) {
        switch entry.key.value {
        case "image": image(entry.value, beside: siblings, at: path)
        case "images": contents(of: entry.value, isList: true, at: path)
        default: search(entry.value, at: path)
        }
    }

    /// Takes the value of `image`.
    private mutating func image(_ node: YAMLNode, beside siblings: ImageSiblings, at path: String) {
        if let text = node.text {
            composed(text, beside: siblings, at: path)
        } else {
            contents(of: node, isList: false, at: path)
        }
    }

    /// Takes the value of `image`, or of `images`.
    private mutating func contents(of node: YAMLNode, isList: Bool, at path: String) {
        switch node {
        case .scalar: if let text = node.text { image(text, at: path) }
        case .sequence(let elements):
            for (index, node) in elements.enumerated() {
                element(node, isList: isList, at: FieldPath.joined(path, index: index))
            }
        case .mapping(let mapping):
            if whole(mapping, at: path) || !isList && onlyName(mapping, at: path) { return }
            let siblings = ImageSiblings(of: mapping)
            for entry in mapping.entries { field(entry, beside: siblings, isList: isList, at: path) }
        case .alias: break
        }
    }

    /// Takes an element of a list that is called so.
    private mutating func element(_ node: YAMLNode, isList: Bool, at path: String) {
        switch node {
        case .scalar:
            guard let text = node.text else { return }
            if !isList || !replacement(text, at: path) { image(text, at: path) }
        case .mapping(let mapping):
            if !whole(mapping, at: path), !replacement(mapping, at: path), !onlyName(mapping, at: path) {
                search(node, at: path)
            }
        case .sequence, .alias: search(node, at: path)
        }
    }

    /// Takes a field of a mapping that is called so.
    private mutating func field(
        _ entry: YAMLMapping.Entry,
        beside siblings: ImageSiblings,
        isList: Bool,
        at path: String
    ) {
        let path = FieldPath.joined(path, key: entry.key.value)
        let mayHaveTexts = isList && !Self.otherKeys.contains(entry.key.value)
        switch entry.value {
        case _ where entry.key.value == "image" || entry.key.value == "images":
            search(entry, beside: siblings, at: path)
        case .mapping(let mapping):
            if !whole(mapping, at: path), !onlyName(mapping, at: path) { search(entry.value, at: path) }
        case .sequence(let elements) where mayHaveTexts:
            for (index, element) in elements.enumerated() { text(element, at: FieldPath.joined(path, index: index)) }
        case .scalar where mayHaveTexts: text(entry.value, at: path)
        default: search(entry.value, at: path)
        }
    }

    /// Takes a text that has a sign in it that only references have, and looks into everything else.
    private mutating func text(_ node: YAMLNode, at path: String) {
        if let text = node.text, text.isLikeReference {
            image(text, at: path)
        } else {
            search(node, at: path)
        }
    }

    /// Takes a mapping that stands for one image.
    private mutating func whole(_ mapping: YAMLMapping, at path: String) -> Bool {
        if template(mapping, at: path) || composed(mapping, at: path) { return true }
        // Volumes of pods have their images so.
        guard let reference = mapping["reference"]?.text else { return false }
        image(reference, at: FieldPath.joined(path, key: "reference"))
        searchOthers(of: mapping, than: ["reference"], at: path)
        return true
    }

    /// Takes a mapping that has no repository but a name, perhaps with a tag.
    private mutating func onlyName(_ mapping: YAMLMapping, at path: String) -> Bool {
        guard mapping["image"] == nil, mapping["images"] == nil, let name = mapping["name"]?.text else { return false }
        let siblings = ImageSiblings(of: mapping)
        guard name.isLikeReference || siblings.tag != nil else { return false }
        composed(name, beside: siblings, at: FieldPath.joined(path, key: "name"))
        let parts = ["name", "registry", "hub", "tag", "imageTag", "digest"]
        searchOthers(of: mapping, than: parts, at: path)
        return true
    }
}

extension YAMLScalar {
    /// Whether it has a sign in it as references have them, or one of a variable or a template.
    fileprivate var isLikeReference: Bool {
        let text = beginning
        if text.contains("$") || text.contains("{{") { return true }
        return text.utf8.contains { "/:@".utf8.contains($0) } && !text.contains("://") && !text.contains(" ")
    }
}
