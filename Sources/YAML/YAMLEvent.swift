/// A step on the way through a YAML text.
package enum YAMLEvent: Hashable, Sendable {
    case documentStart
    case documentEnd
    case mappingStart(YAMLCollection)
    case sequenceStart(YAMLCollection)
    /// The end of the mapping or sequence that began last, with the offset of the byte after it.
    case collectionEnd(end: Int)
    /// A scalar, or an alias that stands for one.
    case scalar(YAMLScalar)
    /// An alias that stands for a mapping or a sequence, which is not gone through again.
    case alias
}

/// The beginning of a mapping or a sequence.
package struct YAMLCollection: Hashable, Sendable {
    /// Whether aliases may stand for it.
    package let isAnchored: Bool
    /// Whether it is written with brackets or braces.
    package let isFlow: Bool
    /// The offset of its first byte in the whole text, after its anchor and tag.
    package let start: Int
    /// The line of the whole text in which it begins, counted from 1.
    package let line: Int
}

/// A scalar: a text as a YAML file has it.
package struct YAMLScalar: Hashable, Sendable {
    /// The way a scalar is written.
    package enum Style: Hashable, Sendable {
        case plain
        case singleQuoted
        case doubleQuoted
        /// Literal (`|`) or folded (`>`).
        case block
    }

    /// The text that it means.
    package let value: String
    /// The way it is written.
    package let style: Style
    /// Whether it is written between brackets or braces.
    package let isInFlow: Bool
    /// Whether a tag says that it is a text, whatever it looks like.
    package let isTaggedText: Bool
    /// Its bytes in the whole text, without anchor and tag, and without the blank lines at a block's end.
    ///
    /// For an alias these are the bytes of the scalar that it stands for.
    package let source: Range<Int>
    /// Where it is used: its bytes, or those of the alias.
    package let use: Range<Int>
    /// The line of the whole text in which it is used, counted from 1.
    package let line: Int

    /// The same scalar, as an alias uses it elsewhere.
    func used(at use: Range<Int>, line: Int) -> YAMLScalar {
        YAMLScalar(
            value: value,
            style: style,
            isInFlow: isInFlow,
            isTaggedText: isTaggedText,
            source: source,
            use: use,
            line: line
        )
    }
}
