/// Reads a part of a YAML text, event by event.
///
/// It holds no more than a few kilobytes and the scalars that have an anchor. Aliases are never expanded: one that
/// stands for a scalar is that scalar, every other is only an ``YAMLEvent/alias``.
package struct YAMLReader: ~Copyable {
    /// The most levels of mappings and sequences within each other.
    package static let depthLimit = 200
    /// The most anchors of a document.
    package static let anchorLimit = 10_000

    private let parser: ParserHandle
    private let firstOffset: Int
    private var cursor: SourceCursor
    private var anchors: [String: YAMLScalar?] = [:]
    private var depth = 0
    /// The level at which brackets or braces began.
    private var flowDepth: Int?
    private var isAtEnd = false

    /// Begins to read.
    ///
    /// - Parameters:
    ///   - part: what is read, one of ``YAMLParts``.
    ///   - text: the whole text, to which all places refer.
    /// - Throws: ``YAMLError`` with `outOfMemory`.
    package init(_ part: YAMLPart, of text: [UInt8]) throws(YAMLError) {
        parser = try ParserHandle.make(text, part)
        firstOffset = part.range.lowerBound
        cursor = SourceCursor(text, at: part.range.lowerBound, line: part.firstLine)
    }

    /// The next event, nil at the end.
    ///
    /// - Throws: ``YAMLError`` where the text breaks the grammar or a limit; nothing can be read after that.
    package mutating func next() throws(YAMLError) -> YAMLEvent? {
        while !isAtEnd {
            guard let event = parser.next() else { throw failure() }
            if case .streamEnd = event.kind { isAtEnd = true }
            if let event = try made(of: event) { return event }
        }
        return nil
    }

    private mutating func made(of event: ParserEvent) throws(YAMLError) -> YAMLEvent? {
        switch event.kind {
        case .documentStart:
            anchors = [:]
            return .documentStart
        case .documentEnd: return .documentEnd
        case .streamEnd, .other: return nil
        case .mappingStart: return .mappingStart(try collection(event))
        case .sequenceStart: return .sequenceStart(try collection(event))
        case .collectionEnd:
            if flowDepth == depth { flowDepth = nil }
            depth -= 1
            cursor.move(toCharacter: event.end)
            return .collectionEnd(end: cursor.offset)
        case .scalar(let value, let style): return .scalar(try scalar(event, value, style))
        case .alias: return try alias(event)
        }
    }

    private mutating func collection(_ event: ParserEvent) throws(YAMLError) -> YAMLCollection {
        let (start, _, line) = place(of: event)
        depth += 1
        guard depth <= Self.depthLimit else { throw fail(.tooDeep(limit: Self.depthLimit), line: line) }
        if event.isFlow, flowDepth == nil { flowDepth = depth }
        try register(event, nil, line: line)
        return YAMLCollection(isAnchored: event.anchor != nil, isFlow: event.isFlow, start: start, line: line)
    }

    private mutating func scalar(
        _ event: ParserEvent,
        _ value: String,
        _ style: YAMLScalar.Style
    ) throws(YAMLError) -> YAMLScalar {
        var (start, end, line) = place(of: event)
        if case .block = style { end = cursor.offset(beforeBlanksAfter: start) }
        let scalar = YAMLScalar(
            value: value,
            style: style,
            isInFlow: flowDepth != nil,
            isTaggedText: event.tag == "tag:yaml.org,2002:str",
            source: start..<end,
            use: start..<end,
            line: line
        )
        try register(event, scalar, line: line)
        return scalar
    }

    private mutating func alias(_ event: ParserEvent) throws(YAMLError) -> YAMLEvent {
        let (start, end, line) = place(of: event)
        guard let known = event.anchor.flatMap({ anchors[$0] }) else { throw fail(.unknownAlias, line: line) }
        return known.map { .scalar($0.used(at: start..<end, line: line)) } ?? .alias
    }

    private mutating func register(_ event: ParserEvent, _ scalar: YAMLScalar?, line: Int) throws(YAMLError) {
        guard let name = event.anchor else { return }
        anchors.updateValue(scalar, forKey: name)
        guard anchors.count <= Self.anchorLimit else {
            throw fail(.tooManyAnchors(limit: Self.anchorLimit), line: line)
        }
    }

    /// Where an event is, without its anchor and tag: its bytes and its line.
    private mutating func place(of event: ParserEvent) -> (start: Int, end: Int, line: Int) {
        cursor.move(toCharacter: event.start)
        if event.hasProperties {
            var atEnd = cursor
            atEnd.move(toCharacter: event.end)
            cursor.move(toOffset: cursor.offset(afterPropertiesBefore: atEnd.offset))
        }
        let (start, line) = (cursor.offset, cursor.line)
        cursor.move(toCharacter: event.end)
        return (start, cursor.offset, line)
    }

    private mutating func failure() -> YAMLError {
        let failure = parser.failure
        switch failure.place {
        case .byte(let offset): cursor.move(toOffset: firstOffset + offset)
        case .character(let index): cursor.move(toCharacter: index)
        }
        return fail(failure.code, line: cursor.line)
    }

    /// The error, after which there is nothing to read: libyaml's state is undefined then.
    private mutating func fail(_ code: YAMLError.Code, line: Int) -> YAMLError {
        isAtEnd = true
        return YAMLError(code, line: line)
    }
}
