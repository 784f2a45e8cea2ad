import YAML

// Kustomizations, which change the names, tags and digests of images that other files name; those of Flux and Argo CD
// have the same lists.
extension ImageCollector {
    private static let decidedByKustomization = "its tag is decided elsewhere; render it: kustomize build"

    /// Takes a field of a kustomization.
    mutating func kustomization(_ field: ImageField) {
        guard field.isAtRoot, field.reason == .images, case .sequence(let elements) = field.node else {
            named(field)
            return
        }
        for (index, element) in elements.enumerated() {
            guard case .mapping(let mapping) = element, let name = mapping.entry("name") else { continue }
            replacement(of: name, in: mapping, at: FieldPath.joined(field.path, index: index))
        }
    }

    /// Takes an element of `images` that looks like one of a kustomization.
    ///
    /// A `tagSuffix` alone decides nothing, and kustomize passes over it where there is a new tag or a digest.
    mutating func replacement(_ mapping: YAMLMapping, at path: String) -> Bool {
        guard let name = mapping.entry("name"),
            ["newTag", "newName", "digest", "tagSuffix"].contains(where: { mapping[$0] != nil })
        else { return false }
        replacement(of: name, in: mapping, at: path)
        return true
    }

    private mutating func replacement(of name: YAMLMapping.Entry, in mapping: YAMLMapping, at path: String) {
        guard let scalar = name.value.text else { return }
        let newName = mapping["newName"]?.text
        let parts = ImageParts(
            repository: newName,
            tag: mapping["newTag"]?.textOrNumber,
            digest: mapping["digest"]?.text,
            name: name,
            takesNewName: mapping["newName"] == nil
        )
        if parts.tag == nil, parts.digest == nil {
            problem(parts.text, Self.decidedByKustomization, newName ?? scalar, at: path)
        } else {
            image(parts, at: path)
        }
    }

    /// Takes a text as Argo CD has them for kustomizations: `old=new:tag`.
    mutating func replacement(_ scalar: YAMLScalar, at path: String) -> Bool {
        let bytes = scalar.beginning.utf8
        guard let sign = bytes.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let text = String(scalar.beginning[bytes.index(after: sign)...])
        if case .untagged = ReferenceText(text) {
            problem(text, Self.decidedByKustomization, scalar, at: path)
        } else {
            image(text, .scalar(scalar), scalar, at: path)
        }
        return true
    }
}
