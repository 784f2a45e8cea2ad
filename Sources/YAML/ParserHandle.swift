import CYAML

/// A parser of libyaml and the text that it reads.
///
/// It is freed at the end of the scope that holds it.
@safe
struct ParserHandle: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutablePointer<ParserInput>

    private init(parser: UnsafeMutablePointer<yaml_parser_t>, input: UnsafeMutablePointer<ParserInput>) {
        unsafe self.parser = unsafe parser
        unsafe self.input = unsafe input
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deinitialize(count: 1)
        unsafe input.deallocate()
    }

    static func make(_ text: [UInt8], _ part: YAMLPart) throws(YAMLError) -> ParserHandle {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw YAMLError(.outOfMemory, line: part.firstLine)
        }
        let input = UnsafeMutablePointer<ParserInput>.allocate(capacity: 1)
        unsafe input.initialize(to: ParserInput(text: text, rest: part.range))
        // Said beforehand, so that it is not guessed from the first bytes.
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input(parser, { unsafe readInput($0, $1, $2, $3) }, input)
        return unsafe ParserHandle(parser: parser, input: input)
    }

    /// The next event, nil where the text breaks the grammar.
    func next() -> ParserEvent? {
        unsafe withUnsafeTemporaryAllocation(of: yaml_event_t.self, capacity: 1) { buffer in
            guard let event = buffer.baseAddress, unsafe yaml_parser_parse(parser, event) == 1 else {
                return nil
            }
            defer { unsafe yaml_event_delete(event) }
            return unsafe ParserEvent(event.pointee)
        }
    }

    /// What broke the grammar.
    var failure: ParserFailure {
        let problem = unsafe text(parser.pointee.problem) ?? "no reason given"
        guard unsafe parser.pointee.error != YAML_READER_ERROR else {
            return ParserFailure(code: .encoding(reason: problem), place: .byte(unsafe parser.pointee.problem_offset))
        }
        guard unsafe parser.pointee.error != YAML_MEMORY_ERROR else {
            return ParserFailure(code: .outOfMemory, place: .character(0))
        }
        let context = unsafe text(parser.pointee.context).map { $0 + ", " } ?? ""
        return ParserFailure(
            code: .syntax(reason: context + problem),
            place: .character(unsafe parser.pointee.problem_mark.index)
        )
    }
}

/// What broke the grammar, and where, counted from the beginning of what was read.
struct ParserFailure {
    enum Place {
        case byte(Int)
        case character(Int)
    }

    let code: YAMLError.Code
    let place: Place
}

/// What a parser has still to read.
private struct ParserInput {
    let text: [UInt8]
    var rest: Range<Int>
}

/// Gives libyaml the next bytes, as its `yaml_read_handler_t` does.
private func readInput(
    _ context: UnsafeMutableRawPointer?,
    _ buffer: UnsafeMutablePointer<UInt8>?,
    _ size: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    guard let context = unsafe context, let buffer = unsafe buffer, let count = unsafe count else { return 0 }
    let input = unsafe context.assumingMemoryBound(to: ParserInput.self)
    let taken = unsafe input.pointee.rest.prefix(size)
    let room = unsafe UnsafeMutableBufferPointer(start: buffer, count: size)
    _ = unsafe room.update(fromContentsOf: input.pointee.text[taken])
    unsafe input.pointee.rest = taken.upperBound..<input.pointee.rest.upperBound
    unsafe count.pointee = taken.count
    return 1
}

private func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    guard let pointer = unsafe pointer else { return nil }
    return unsafe String(cString: pointer)
}
