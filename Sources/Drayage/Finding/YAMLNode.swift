import YAML

/// A value of a YAML document that is kept as a whole: what lies under a field that may name images.
indirect enum YAMLNode {
    case scalar(YAMLScalar)
    case sequence([YAMLNode])
    case mapping(YAMLMapping)
    /// An alias for a mapping or a sequence, which is looked at where it is written.
    case alias

    /// The scalar that it is, if it is a text and not empty.
    var text: YAMLScalar? {
        guard case .scalar(let scalar) = self, scalar.kind == .text, !scalar.isBlank else { return nil }
        return scalar
    }

    /// The scalar that it is, if it is a text or a number, and not empty.
    var textOrNumber: YAMLScalar? {
        guard case .scalar(let scalar) = self, scalar.kind == .number else { return text }
        return scalar
    }
}

/// A mapping that is kept as a whole.
struct YAMLMapping {
    struct Entry {
        let key: YAMLScalar
        let value: YAMLNode
    }

    /// The entries whose keys are scalars.
    let entries: [Entry]
    let isFlow: Bool
    /// Its bytes in the whole text.
    let source: Range<Int>
    let line: Int

    /// The first entry with a key.
    func entry(_ key: String) -> Entry? { entries.first { $0.key.value == key } }

    /// The value of the first entry with a key.
    subscript(key: String) -> YAMLNode? { entry(key)?.value }
}

/// Keeps values of a document, and not more than there may be.
struct YAMLNodeReader {
    /// The most scalars of a document that are kept.
    private static let scalarLimit = 100_000

    private var scalarCount = 0

    /// Counts a scalar that is kept.
    ///
    /// - Throws: ``YAMLError`` with `tooManyValues`.
    mutating func count(_ scalar: YAMLScalar) throws(YAMLError) {
        scalarCount += 1
        guard scalarCount <= Self.scalarLimit else {
            throw YAMLError(.tooManyValues(limit: Self.scalarLimit), line: scalar.line)
        }
    }

    /// Reads the rest of the value that an event begins.
    mutating func node(_ event: YAMLEvent?, from reader: inout YAMLReader) throws(YAMLError) -> YAMLNode {
        switch event {
        case .scalar(let scalar):
            try count(scalar)
            return .scalar(scalar)
        case .mappingStart(let start): return .mapping(try mapping(start, from: &reader))
        case .sequenceStart:
            var elements: [YAMLNode] = []
            while let event = try reader.next() {
                if case .collectionEnd = event { break }
                elements.append(try node(event, from: &reader))
            }
            return .sequence(elements)
        default: return .alias
        }
    }

    private mutating func mapping(
        _ start: YAMLCollection,
        from reader: inout YAMLReader
    ) throws(YAMLError) -> YAMLMapping {
        var entries: [YAMLMapping.Entry] = []
        var end = start.start
        while let event = try reader.next() {
            if case .collectionEnd(let offset) = event {
                end = offset
                break
            }
            let key = try node(event, from: &reader)
            let value = try node(try reader.next(), from: &reader)
            if case .scalar(let key) = key { entries.append(YAMLMapping.Entry(key: key, value: value)) }
        }
        return YAMLMapping(
            entries: entries,
            isFlow: start.isFlow,
            source: start.start..<max(start.start, end),
            line: start.line
        )
    }
}
