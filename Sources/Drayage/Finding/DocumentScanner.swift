import YAML

/// Goes through the documents of a part of a YAML text and keeps what may be an image.
struct DocumentScanner: ~Copyable {
    /// The most bytes of a kind or a name; Kubernetes allows fewer.
    private static let nameLengthLimit = 512

    private var reader: YAMLReader
    private let guesses: Bool
    private var nodes = YAMLNodeReader()
    /// The object that is gone through, and where in it.
    private var object = ScannedObject()
    private var path = FieldPath()

    init(_ part: YAMLPart, of text: [UInt8], guesses: Bool) throws(YAMLError) {
        reader = try YAMLReader(part, of: text)
        self.guesses = guesses
    }

    /// The objects of the next document, nil at the end.
    mutating func nextDocument() throws(YAMLError) -> [ScannedObject]? {
        while let event = try reader.next() {
            guard case .documentStart = event else { continue }
            nodes = YAMLNodeReader()
            switch try reader.next() {
            case .mappingStart(let start): return [try scanObject(start)]
            case .sequenceStart: return try rootSequence()
            default: return []
            }
        }
        return nil
    }

    private mutating func rootSequence() throws(YAMLError) -> [ScannedObject] {
        var list = ScannedObject()
        list.isSequence = true
        var objects: [ScannedObject] = []
        var index = 0
        while let event = try reader.next() {
            switch event {
            case .collectionEnd: return objects + [list]
            case .mappingStart(let start): objects.append(try scanObject(start))
            default:
                let node = try nodes.node(event, from: &reader)
                let place = FieldPath.joined("", index: index)
                list.fields.append(ImageField(reason: .element, node: node, path: place))
            }
            index += 1
        }
        return []
    }

    private mutating func scanObject(_ start: YAMLCollection) throws(YAMLError) -> ScannedObject {
        let (outerObject, outerPath) = (object, path)
        object = ScannedObject()
        object.path = path.text
        path = FieldPath()
        defer { (object, path) = (outerObject, outerPath) }
        try mapping(isAnchored: start.isAnchored)
        return object
    }

    // MARK: - Values

    private mutating func mapping(isAnchored: Bool) throws(YAMLError) {
        var siblings = ImageSiblings()
        var image: Int?
        while let event = try reader.next() {
            if case .collectionEnd = event { break }
            var key: YAMLScalar?
            if case .scalar(let scalar) = event { key = scalar } else { try skip(event) }
            path.append(key: key?.value ?? "?")
            defer { path.removeLast() }
            if path.steps.count == 1 { object.addRootKey(key?.value) }
            guard let event = try reader.next() else { return }
            guard key != nil, let reason = path.reason else {
                if let key { siblings.add(key, event) }
                try value(event)
                continue
            }
            if reason == .image { image = object.fields.count }
            try keep(event, as: reason, isAnchored: isAnchored)
        }
        if let image { object.fields[image].siblings = siblings }
    }

    private mutating func value(_ event: YAMLEvent) throws(YAMLError) {
        switch event {
        case .scalar(let scalar):
            note(scalar)
            if guesses, LikelyReference(scalar) != nil { try keep(event, as: .looks, isAnchored: false) }
        case .mappingStart(let start):
            if path.steps == [.key("services")] { object.hasServices = true }
            try mapping(isAnchored: start.isAnchored)
        case .sequenceStart:
            try sequence(ofItems: path.steps == [.key("items")])
        default: break
        }
    }

    private mutating func sequence(ofItems isItems: Bool) throws(YAMLError) {
        if isItems { object.items = object.items ?? [] }
        var index = 0
        while let event = try reader.next() {
            if case .collectionEnd = event { return }
            path.append(index: index)
            defer { path.removeLast() }
            if isItems, case .mappingStart(let start) = event {
                let item = try scanObject(start)
                object.items?.append(item)
            } else {
                try value(event)
            }
            index += 1
        }
    }

    private mutating func skip(_ event: YAMLEvent) throws(YAMLError) {
        var depth = 0
        var event: YAMLEvent? = event
        while let current = event {
            switch current {
            case .mappingStart, .sequenceStart: depth += 1
            case .collectionEnd: depth -= 1
            default: break
            }
            guard depth > 0 else { return }
            event = try reader.next()
        }
    }

    // MARK: - What is kept

    private mutating func note(_ scalar: YAMLScalar) {
        guard path.steps.count <= 2, scalar.value.utf8.count <= Self.nameLengthLimit, scalar.kind != .null,
            let keys = path.keys
        else { return }
        switch keys {
        case ["apiVersion"]: object.apiVersion = scalar.value
        case ["kind"]: object.kind = scalar.value
        case ["metadata", "name"]: object.name = scalar.value
        case ["metadata", "generateName"]: object.name = object.name ?? scalar.value
        default: break
        }
    }

    private mutating func keep(
        _ event: YAMLEvent,
        as reason: ImageField.Reason,
        isAnchored: Bool
    ) throws(YAMLError) {
        var field = ImageField(reason: reason, node: try nodes.node(event, from: &reader), path: path.text)
        field.isAnchored = isAnchored && !path.isOfLabels
        field.isAtRoot = path.steps.count == 1
        field.podSpecOfContainer = path.podSpecOfContainer
        field.podSpecOfVolume = path.podSpecOfVolume
        field.isUnderHost = path.isUnderHost
        field.service = path.service
        object.fields.append(field)
    }
}
