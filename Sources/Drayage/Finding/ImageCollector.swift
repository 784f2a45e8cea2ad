import YAML

/// Tells what of the fields of an object is an image.
struct ImageCollector {
    /// The whole text.
    let text: [UInt8]
    let guesses: Bool
    /// What was found, in the order of the fields.
    private(set) var found: [FoundImage] = []
    /// What the objects or services are called that are looked at.
    var object: String?

    init(text: [UInt8], guesses: Bool) {
        self.text = text
        self.guesses = guesses
    }

    /// Finds the images of an object.
    mutating func collect(_ scanned: ScannedObject) {
        object = scanned.label
        switch ObjectRule(for: scanned) {
        case .items: collectItems(of: scanned)
        case .elements: for field in scanned.fields { image(field.node, at: field.path) }
        case .pod(let specification): for field in scanned.allFields { pod(field, specification) }
        case .kustomization: for field in scanned.allFields { kustomization(field) }
        case .compose: compose(scanned.allFields)
        case .nothing: for field in scanned.allFields { guess(field.node, at: field.path) }
        case .fields: for field in scanned.allFields { named(field) }
        }
    }

    private mutating func collectItems(of list: ScannedObject) {
        for field in list.fields { guess(field.node, at: field.path) }
        let kind = list.kind.map { String($0.dropLast("List".count)) } ?? ""
        for var item in list.items ?? [] {
            // The items of a list of one kind need not say what they are.
            if item.kind == nil, item.apiVersion == nil, !kind.isEmpty {
                item.kind = kind
                item.apiVersion = list.apiVersion
            }
            collect(item)
        }
    }

    private mutating func pod(_ field: ImageField, _ specification: String) {
        // A merge key or an alias may put into a pod what stands elsewhere.
        let isAnchored = field.reason == .image && field.isAnchored
        if case .mapping(let volume) = field.node, let reference = volume["reference"],
            isAnchored || field.podSpecOfVolume == specification
        {
            image(reference, at: FieldPath.joined(field.path, key: "reference"))
        } else if isAnchored && field.podSpecOfVolume == nil || field.podSpecOfContainer == specification {
            if !field.isInjected { image(field.node, at: field.path) }
        } else {
            guess(field.node, at: field.path)
        }
    }

    // MARK: - Single values

    /// Takes a value that must be an image, or nothing at all.
    mutating func image(_ node: YAMLNode, at path: String) {
        switch node {
        case .scalar(let scalar):
            switch scalar.kind {
            case .null: break
            case .text: image(scalar, at: path)
            case .flag, .number:
                problem(scalar.beginning, "it is not a text; write it in quotes", scalar, at: path)
            }
        case .mapping(let mapping):
            if !template(mapping, at: path) {
                add(.problem(text: "", reason: "it is not a text"), mapping.source.lowerBound, mapping.line, path)
            }
        case .sequence: guess(node, at: path)
        case .alias: break
        }
    }

    /// Takes a text that must be an image, or blank.
    mutating func image(_ scalar: YAMLScalar, at path: String) {
        guard !scalar.isBlank else { return }
        image(scalar.beginning, .scalar(scalar), scalar, at: path)
    }

    /// Takes an image that is written in several parts.
    mutating func image(_ parts: ImageParts, at path: String) {
        guard let main = parts.main else { return }
        image(parts.text, .parts(parts), main, at: path)
    }

    /// Takes a text that must be an image, as it is written.
    mutating func image(_ text: String, _ written: WrittenImage, _ scalar: YAMLScalar, at path: String) {
        do {
            let reference = try Reference(parsing: text)
            add(.image(reference, text: text, written), scalar.use.lowerBound, scalar.line, path)
        } catch {
            problem(text, error.description(of: text), scalar, at: path)
        }
    }

    /// Says what is wrong with a scalar.
    mutating func problem(_ text: String, _ reason: String, _ scalar: YAMLScalar, at path: String) {
        add(.problem(text: FoundImage.excerpt(of: text), reason: reason), scalar.use.lowerBound, scalar.line, path)
    }

    /// Whether a mapping is really a template that nobody has quoted: `image: {{ .Values.image }}`.
    mutating func template(_ mapping: YAMLMapping, at path: String) -> Bool {
        guard mapping.isFlow, text[mapping.source].starts(with: "{{".utf8) else { return false }
        // No more than what is shown.
        let written = FoundImage.excerpt(of: String(decoding: text[mapping.source].prefix(2000), as: UTF8.self))
        let reason = ReferenceError.templateReason
        add(.problem(text: written, reason: reason), mapping.source.lowerBound, mapping.line, path)
        return true
    }

    /// Takes what looks like an image, if that is wanted.
    mutating func guess(_ node: YAMLNode, at path: String) {
        guard guesses else { return }
        switch node {
        case .scalar(let scalar):
            guard let likely = LikelyReference(scalar) else { return }
            add(
                .image(likely.reference, text: likely.text, .scalar(scalar)),
                scalar.use.lowerBound,
                scalar.line,
                path
            )
        case .sequence(let elements):
            for (index, element) in elements.enumerated() { guess(element, at: FieldPath.joined(path, index: index)) }
        case .mapping(let mapping):
            for entry in mapping.entries { guess(entry.value, at: FieldPath.joined(path, key: entry.key.value)) }
        case .alias: break
        }
    }

    private mutating func add(_ content: FoundImage.Content, _ offset: Int, _ line: Int, _ path: String) {
        let field = path.isEmpty ? nil : path
        found.append(FoundImage(content: content, offset: offset, line: line, object: object, field: field))
    }
}

extension ReferenceError {
    static let templateReason = "it is a template; render the chart first: helm template"

    /// Why a text is no reference, and what to do where that is known.
    fileprivate func description(of text: String) -> String {
        if text.contains("{{") { return Self.templateReason }
        if text.contains("$(") { return "it is a parameter; put its value in first" }
        if text.contains("$") { return "it is a variable; put its value in first: docker compose config, or envsubst" }
        return description
    }
}
