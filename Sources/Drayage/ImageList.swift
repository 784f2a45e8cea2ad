import FoundationEssentials

/// The references that a run is about, with where each was found.
public struct ImageList: Sendable {
    /// One reference of a list.
    public struct Entry: Sendable {
        /// The reference, normalised; without a tag where it was written without one.
        public let reference: Reference
        /// The reference as it was written.
        public let text: String
        /// Where it was found: `images.txt:3`.
        public let place: String
    }

    private var entries: [Entry] = []
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

    /// Whether nothing was added, neither a reference nor what should be one.
    public var isEmpty: Bool { entries.isEmpty && problems.isEmpty }

    /// The references, if every text was one and there is any: each once, in the order in which they first came, with the
    /// tag `latest` where they have neither tag nor digest.
    ///
    /// - Throws: ``DrayageError`` with `invalidList`, naming each text with its file and line, or with `emptyList`.
    public func checked() throws -> [Reference] {
        var known: Set<Reference> = []
        return try checkedEntries().map(\.reference.withDefaultTag).filter { known.insert($0).inserted }
    }

    /// The references as they were written, if every text was one and there is any.
    ///
    /// - Throws: ``DrayageError`` with `invalidList`, naming each text with its file and line, or with `emptyList`.
    public func checkedEntries() throws -> [Entry] {
        guard problems.isEmpty else {
            throw DrayageError(.invalidList, problems.joined(separator: "\n"))
        }
        guard !entries.isEmpty else {
            throw DrayageError(
                .emptyList,
                "the list of images is empty: give references as arguments, or a file of them with -f"
            )
        }
        return entries
    }

    private mutating func add(_ text: String, place: String) {
        do {
            entries.append(Entry(reference: try Reference(parsing: text), text: text, place: place.printable))
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
