import CYAML

/// An event of libyaml, with its places in characters.
struct ParserEvent {
    enum Kind {
        case documentStart
        case documentEnd
        case streamEnd
        case mappingStart
        case sequenceStart
        case collectionEnd
        case scalar(String, YAMLScalar.Style)
        case alias
        /// The start of the stream, which says nothing.
        case other
    }

    let kind: Kind
    /// The name of the anchor that it has, or of the one that it stands for.
    private(set) var anchor: String?
    private(set) var tag: String?
    private(set) var isFlow = false
    let start: Int
    let end: Int

    init(_ event: yaml_event_t) {
        start = unsafe event.start_mark.index
        end = unsafe event.end_mark.index
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT: kind = .collectionEnd
        case YAML_MAPPING_START_EVENT:
            kind = .mappingStart
            anchor = unsafe text(event.data.mapping_start.anchor)
            tag = unsafe text(event.data.mapping_start.tag)
            isFlow = unsafe event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
        case YAML_SEQUENCE_START_EVENT:
            kind = .sequenceStart
            anchor = unsafe text(event.data.sequence_start.anchor)
            tag = unsafe text(event.data.sequence_start.tag)
            isFlow = unsafe event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            kind = .scalar(unsafe text(scalar.value, scalar.length), Self.style(unsafe scalar.style))
            anchor = unsafe text(scalar.anchor)
            tag = unsafe text(scalar.tag)
        case YAML_ALIAS_EVENT:
            kind = .alias
            anchor = unsafe text(event.data.alias.anchor)
        default: kind = .other
        }
    }

    /// Whether an anchor or a tag is written before it.
    var hasProperties: Bool {
        if case .alias = kind { return false }
        return anchor != nil || tag != nil
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
        default: .plain
        }
    }
}

private func text(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
    guard let pointer = unsafe pointer else { return nil }
    return unsafe String(cString: pointer)
}

private func text(_ pointer: UnsafeMutablePointer<UInt8>?, _ count: Int) -> String {
    unsafe String(decoding: UnsafeBufferPointer(start: pointer, count: count), as: UTF8.self)
}
