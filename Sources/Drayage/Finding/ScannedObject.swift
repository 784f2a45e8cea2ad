import YAML

/// What has been seen of a mapping that may be an object of Kubernetes, or another file's root.
///
/// What it is can only be told at its end, so all that may turn out to be an image is kept until then.
struct ScannedObject {
    var apiVersion: String?
    var kind: String?
    /// `metadata.name`, or `metadata.generateName`.
    var name: String?
    /// Whether its `services` are a mapping.
    var hasServices = false
    /// Whether its fields are those of a Compose file and no others.
    var hasComposeKeysOnly = true
    /// Whether its elements, and nothing else, may be images: the root of a file that is a list.
    var isSequence = false
    /// The values that may be images.
    var fields: [ImageField] = []
    /// The mappings in its `items`, nil where that is no list.
    var items: [ScannedObject]?
    /// Where it was found in the object around it: `items[3]`.
    var path = ""

    /// Notes the name of a field; nil where this is no scalar.
    mutating func addRootKey(_ key: String?) {
        switch key {
        case "version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models": break
        default: hasComposeKeysOnly = hasComposeKeysOnly && key?.hasPrefix("x-") == true
        }
    }

    /// The API group; nil where it is no object of Kubernetes.
    var group: Substring? {
        guard let apiVersion, kind != nil else { return nil }
        return apiVersion.firstIndex(of: "/").map { apiVersion[..<$0] } ?? ""
    }

    /// Its kind and name, as they are shown: `Deployment/web`.
    var label: String? {
        guard let kind else { return nil }
        return FieldPath.shown(kind + (name.map { "/" + $0 } ?? "")).printable
    }

    /// All fields, with those of its items.
    var allFields: [ImageField] {
        var all: [ImageField] = []
        appendFields(to: &all, at: "")
        return all
    }

    private func appendFields(to all: inout [ImageField], at path: String) {
        for var field in fields {
            field.path = FieldPath.joined(path, path: field.path)
            all.append(field)
        }
        for item in items ?? [] { item.appendFields(to: &all, at: FieldPath.joined(path, path: item.path)) }
    }
}

/// A value that may name one image or more.
struct ImageField {
    /// Why it may.
    enum Reason: Equatable {
        /// It is called `image`.
        case image
        /// It is called `images`.
        case images
        /// It has patterns for the tags of images, as `skopeo sync` has them.
        case tagPatterns
        /// Services of a Compose file have images or name other files there.
        case compose
        /// It is an element of a list that is the whole file.
        case element
        /// It is some text that looks like a reference.
        case looks
    }

    let reason: Reason
    let node: YAMLNode
    /// Its path in the object, as it is shown.
    var path: String
    /// What stands beside it that may be a part of it.
    var siblings = ImageSiblings()
    /// Whether the object has it directly.
    var isAtRoot = false
    /// Whether it is a field of a mapping at the root that is called like a registry.
    var isUnderHost = false
    /// The path of the specification of a pod that has it as a container's image.
    var podSpecOfContainer: String?
    /// The path of the specification of a pod that has it as a volume.
    var podSpecOfVolume: String?
    /// The service of a Compose file that has it.
    var service: String?
    /// Whether it is a field of a mapping that has an anchor.
    var isAnchored = false

    /// Whether it stands for the image that Istio puts there when the pod is made.
    var isInjected: Bool {
        guard podSpecOfContainer != nil, case .scalar(let scalar) = node else { return false }
        return scalar.value == "auto"
    }
}
