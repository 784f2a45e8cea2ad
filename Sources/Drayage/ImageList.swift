import FoundationEssentials

/// The references that a run is about, with where each was found.
public struct ImageList: Sendable {
    /// The references, normalised, each once, in the order in which they first came.
    public private(set) var references: [Reference] = []
    private var known: Set<Reference> = []
    private var problems: [String] = []

    /// An empty list.
    public init() {}

    /// Adds a reference that was given as an argument.
    public mutating func add(argument: String) { add(argument, place: "argument") }

    /// Adds the references of a list: one a line; what follows `#` at a line's start or after a blank is a comment.
    ///
    /// - Parameters:
    ///   - text: the list.
    ///   - name: what errors call it.
    public mutating func add(contentsOf text: String, name: String) {
        let text = text.hasPrefix("\u{feff}") ? text.dropFirst() : text[...]
        // "\r\n" is one Character, so it is one separator.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let reference = Self.withoutComment(line)
            if !reference.isEmpty { add(reference, place: "\(name):\(index + 1)") }
        }
    }

    /// The references, if every text was one and there is any.
    ///
    /// - Throws: ``DrayageError`` with `invalidList`, naming each text with its file and line, or with `emptyList`.
    public func checked() throws -> [Reference] {
        guard problems.isEmpty else {
            throw DrayageError(.invalidList, problems.joined(separator: "\n"))
        }
        guard !references.isEmpty else {
            throw DrayageError(
                .emptyList,
                "the list of images is empty: give references as arguments, or a file of them with -f"
            )
        }
        return references
    }

    private mutating func add(_ text: String, place: String) {
        do {
            let reference = try Reference(parsing: text).withDefaultTag
            if known.insert(reference).inserted { references.append(reference) }
        } catch {
            problems.append("\(place.printable): \(error.description)")
        }
    }

    private static func withoutComment(_ line: Substring) -> String {
        var end = line.endIndex
        var previousIsBlank = true
        for index in line.indices {
            if line[index] == "#", previousIsBlank {
                end = index
                break
            }
            previousIsBlank = line[index].isWhitespace
        }
        return line[..<end].trimmingPrefix(while: \.isWhitespace).reversedTrimmed
    }
}

extension Substring {
    /// Without the white space at its end.
    fileprivate var reversedTrimmed: String {
        var rest = self
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
