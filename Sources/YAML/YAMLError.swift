/// A YAML text that cannot be read.
package struct YAMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        /// It breaks YAML's grammar; libyaml's own text.
        case syntax(reason: String)
        /// It is no text in UTF-8, or has characters that no YAML may have; libyaml's own text.
        case encoding(reason: String)
        /// An alias stands for nothing.
        case unknownAlias
        case tooDeep(limit: Int)
        case tooManyAnchors(limit: Int)
        case tooManyValues(limit: Int)
        case outOfMemory
    }

    /// What is wrong.
    package let code: Code
    /// The line of the whole text, counted from 1.
    package let line: Int

    /// Puts an error together; the reader's own limits are not the only ones that a text can break.
    package init(_ code: Code, line: Int) {
        self.code = code
        self.line = line
    }

    /// The cause alone; who throws it on adds the file and the line.
    package var description: String {
        switch code {
        case .syntax(let reason): "it is not valid YAML: \(reason)"
        case .encoding(let reason): "it is not a text in UTF-8 (\(reason)); save it as UTF-8"
        case .unknownAlias: "it is not valid YAML: an alias has no anchor before it"
        case .tooDeep(let limit): "it is nested deeper than \(limit) levels"
        case .tooManyAnchors(let limit): "it has more than \(limit) anchors"
        case .tooManyValues(let limit): "a document has more than \(limit) values that may name images; split it"
        case .outOfMemory: "starting libyaml: out of memory"
        }
    }
}
