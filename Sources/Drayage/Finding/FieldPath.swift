/// The way from an object to one of its values: `spec.containers[0].image`.
struct FieldPath {
    /// The most characters of a path's text.
    private static let textLimit = 200

    enum Step: Equatable {
        case key(String)
        case index(Int)
    }

    private(set) var steps: [Step] = []

    mutating func append(key: String) { steps.append(.key(key)) }

    mutating func append(index: Int) { steps.append(.index(index)) }

    mutating func removeLast() { steps.removeLast() }

    /// The names of all steps; nil where one of them is an index.
    var keys: [String]? { Self.keys(steps[...]) }

    /// The path as it is shown: printable, and cut where it is very long.
    var text: String {
        var text = ""
        for step in steps {
            text = Self.joined(text, step)
            if text.utf8.count > Self.textLimit { break }
        }
        return Self.shown(text)
    }

    /// A path that goes on from another one.
    static func joined(_ path: String, key: String) -> String { shown(joined(path, .key(key))) }

    /// A path to an element of a list.
    static func joined(_ path: String, index: Int) -> String { shown(joined(path, .index(index))) }

    /// A path behind another one.
    static func joined(_ path: String, path rest: String) -> String {
        guard !path.isEmpty, !rest.isEmpty else { return path + rest }
        return shown(path + (rest.first == "[" ? "" : ".") + rest)
    }

    private static func joined(_ path: String, _ step: Step) -> String {
        switch step {
        case .index(let index): return path + "[\(index)]"
        case .key(let key):
            // It may be long, and stand before very many paths.
            let key = shown(key)
            let needsQuotes = key.isEmpty || !key.unicodeScalars.allSatisfy { isPlain($0) || $0 == "…" }
            return path + (needsQuotes ? "[\"\(key.printable)\"]" : (path.isEmpty ? "" : ".") + key)
        }
    }

    /// A text as it is shown: cut where it is very long.
    static func shown(_ text: String) -> String {
        let start = text.unicodeScalars.prefix(textLimit)
        return start.endIndex == text.endIndex ? text : String(start) + "…"
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }

    private static func keys(_ steps: ArraySlice<Step>) -> [String]? {
        var keys: [String] = []
        for step in steps {
            guard case .key(let key) = step else { return nil }
            keys.append(key)
        }
        return keys
    }
}

extension FieldPath {
    /// The path of a pod's specification, joined by dots, if this is the path of an image of one of its containers.
    var podSpecOfContainer: String? {
        podSpec(of: ["containers", "initContainers", "ephemeralContainers"])
    }

    /// The path of a pod's specification, joined by dots, if this is the path of an image that is one of its volumes.
    var podSpecOfVolume: String? { podSpec(of: ["volumes"]) }

    /// Why the value at this path may name images, by its key alone; nil where it does not.
    var reason: ImageField.Reason? {
        guard case .key(let key) = steps.last else { return nil }
        switch key {
        // A block device of Ceph has an image of another kind.
        case "image": return steps.dropLast().last == .key("rbd") ? nil : .image
        case "images": return .images
        case "images-by-tag-regex", "images-by-semver": return isUnderHost ? .tagPatterns : nil
        case "volumes", "extends": return service == nil ? nil : .compose
        case "include": return steps.count == 1 ? .compose : nil
        default: return nil
        }
    }

    /// The name of the service of a Compose file that has this field, as it is shown.
    var service: String? {
        guard steps.count == 3, let keys, keys[0] == "services" else { return nil }
        return Self.shown(keys[1])
    }

    /// Whether this is a field of a mapping at the root that is called like a registry.
    var isUnderHost: Bool {
        guard steps.count == 2, case .key(let host) = steps[0] else { return false }
        return LikelyReference.isHost(host.utf8[...])
    }

    /// Whether this lies among labels and the like, which may have any names.
    var isOfLabels: Bool {
        let names: Set<String> = ["metadata", "labels", "annotations", "selector", "matchLabels", "nodeSelector"]
        return steps.contains { if case .key(let key) = $0 { names.contains(key) } else { false } }
    }

    private func podSpec(of lists: [String]) -> String? {
        // The deepest that a specification lies is in a CronJob.
        guard (4...8).contains(steps.count), steps.last == .key("image"),
            case .index = steps[steps.count - 2], case .key(let list) = steps[steps.count - 3], lists.contains(list)
        else { return nil }
        return Self.keys(steps.dropLast(3))?.joined(separator: ".")
    }
}
