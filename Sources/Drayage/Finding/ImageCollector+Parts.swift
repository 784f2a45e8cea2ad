import YAML

// Images whose parts are written one by one.
extension ImageCollector {
    private static let decidedByChart = "its tag is decided elsewhere; render it: helm template"

    /// Takes a mapping that gives the parts of an image, and looks into what else it has.
    mutating func composed(_ mapping: YAMLMapping, at path: String) -> Bool {
        let names = ["repository", "registry", "hub", "tag", "imageTag", "digest"]
        guard mapping["repository"] != nil else { return false }
        for name in names {
            if case .mapping(let part)? = mapping[name], template(part, at: FieldPath.joined(path, key: name)) {
                return true
            }
        }
        guard let repository = mapping["repository"]?.text else { return false }
        let siblings = ImageSiblings(of: mapping)
        var parts = ImageParts(registry: siblings.registry, repository: repository)
        parts.add(siblings)
        let written = ReferenceText(repository.beginning)
        switch written {
        case _ where parts.tag != nil || parts.digest != nil: image(parts, at: path)
        case .untagged: problem(parts.text, Self.decidedByChart, repository, at: path)
        case .tagged, .variable: image(parts, at: path)
        // It is a repository of something else.
        case .other: return false
        }
        searchOthers(of: mapping, than: names, at: path)
        return true
    }

    /// Looks into the fields of a mapping that are no parts of the image for which it stands.
    mutating func searchOthers(of mapping: YAMLMapping, than names: [String], at path: String) {
        for entry in mapping.entries where !names.contains(entry.key.value) {
            search(entry, beside: ImageSiblings(), at: FieldPath.joined(path, key: entry.key.value))
        }
    }

    /// Takes a text that must be an image, with what stands beside it.
    mutating func composed(_ text: YAMLScalar, beside siblings: ImageSiblings, at path: String) {
        var parts = ImageParts(repository: text)
        switch ReferenceText(text.beginning) {
        case .tagged(let hasHost): if !hasHost { parts.registry = siblings.registry }
        case .untagged(let hasHost):
            if !hasHost { parts.registry = siblings.registry }
            parts.add(siblings)
            if parts.tag == nil, parts.digest == nil, siblings.wantTag {
                problem(parts.text, Self.decidedByChart, text, at: path)
                return
            }
        case .variable, .other: break
        }
        if parts.registry == nil, parts.isRepositoryWhole { image(text, at: path) } else { image(parts, at: path) }
    }

    /// Says that an entry of a file for `skopeo sync` has the tags of an image.
    mutating func tagLists(_ node: YAMLNode, arePatterns: Bool = false, at path: String) -> Bool {
        guard case .mapping(let mapping) = node else { return false }
        var hasAny = false
        for entry in mapping.entries {
            if case .sequence = entry.value {} else if !arePatterns { continue }
            hasAny = true
            let reason = "its tags are for skopeo sync; write each image in a list of references"
            problem(entry.key.beginning, reason, entry.key, at: FieldPath.joined(path, key: entry.key.value))
        }
        return hasAny
    }
}

extension ImageParts {
    /// Adds the tag and the digest that stand beside a repository.
    fileprivate mutating func add(_ siblings: ImageSiblings) {
        tag = siblings.tag
        digest = siblings.digest
    }
}

/// What a text may be to which a tag is added.
enum ReferenceText {
    case tagged(hasHost: Bool)
    case untagged(hasHost: Bool)
    /// A variable or a template.
    case variable
    case other

    init(_ text: String) {
        do {
            let syntax = try ReferenceSyntax(parsingCustomary: text)
            let hasHost = syntax.domain != nil
            self = syntax.tag == nil && syntax.digest == nil ? .untagged(hasHost: hasHost) : .tagged(hasHost: hasHost)
        } catch {
            // What is wrong with it is said where it must be an image.
            self = text.contains("$") || text.contains("{{") ? .variable : .other
        }
    }
}
