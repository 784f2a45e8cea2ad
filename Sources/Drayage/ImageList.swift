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
        /// Whether all tags of its repository are meant: `app:*`.
        let meansAllTags: Bool

        /// The reference, with the tag `latest` where it has neither tag nor digest and not all tags are meant.
        public var wholeReference: Reference { meansAllTags ? reference : reference.withDefaultTag }
    }

    private(set) var entries: [Entry] = []
    private var problems: [String] = []
    private var passedOver: [String] = []
    private var emptyFiles: [String] = []

    /// Lines about what should have been references and was passed over, and about files that name no image.
    public var notes: [String] {
        passedOver.map { "passed over: \($0)" } + emptyFiles.map { "\($0) names no image" }
    }

    /// Whether all tags of a repository are asked for.
    public var asksForTags: Bool { entries.contains(where: \.meansAllTags) }

    /// An empty list.
    public init() {}

    /// A list of references that are known to be some.
    public init(_ references: [Reference]) {
        entries = references.map { Entry(reference: $0, text: "\($0)", place: "argument", meansAllTags: false) }
    }

    /// Adds a reference that was given as an argument; `app:*` is all tags of a repository.
    public mutating func add(argument: String) {
        add(ImageFinder().findings(inArgument: argument), ignoringProblems: false)
    }

    /// Adds the references of a list, or the images that a file of another form names.
    ///
    /// - Parameters:
    ///   - text: the file, in UTF-8.
    ///   - name: what errors call it.
    ///   - finder: finds them.
    ///   - ignoresProblems: whether what is no reference where one should be is told in ``notes``, and no error.
    public mutating func add(
        contentsOf text: [UInt8],
        name: String,
        finder: ImageFinder = ImageFinder(),
        ignoringProblems ignoresProblems: Bool = false
    ) {
        let findings = finder.find(in: text, name: name)
        if findings.occurrences.isEmpty, findings.problems.isEmpty { emptyFiles.append(name.printable) }
        add(findings, ignoringProblems: ignoresProblems)
    }

    /// Adds the references of a list, or the images that a text of another form names.
    ///
    /// - Parameters:
    ///   - text: the text.
    ///   - name: what errors call it.
    public mutating func add(contentsOf text: String, name: String) { add(contentsOf: Array(text.utf8), name: name) }

    /// Adds what was found in a file.
    ///
    /// - Parameters:
    ///   - findings: the findings.
    ///   - ignoresProblems: whether what is no reference where one should be is told in ``notes``, and no error.
    public mutating func add(_ findings: ImageFinder.Findings, ignoringProblems ignoresProblems: Bool) {
        entries += findings.occurrences.map { found in
            Entry(
                reference: found.reference,
                text: found.text,
                place: found.place,
                meansAllTags: found.meansAllTags
            )
        }
        let lines = findings.problems.map(\.description)
        if ignoresProblems { passedOver += lines } else { problems += lines }
    }

    /// Whether nothing was added, neither a reference nor what should be one.
    public var isEmpty: Bool { entries.isEmpty && problems.isEmpty }

    /// The references, if every text was one and there is any: each once, in the order in which they first came, with the
    /// tag `latest` where they have neither tag nor digest.
    ///
    /// - Throws: ``DrayageError`` with `invalidList`, naming each text with its file and line, or with `emptyList`.
    public func checked() throws -> [Reference] {
        let entries = try checkedEntries()
        if let entry = entries.first(where: \.meansAllTags) {
            throw DrayageError(
                .invalidList,
                "\(entry.place): all tags of \(entry.reference) are too many here; name one"
            )
        }
        var known: Set<Reference> = []
        return entries.map(\.reference.withDefaultTag).filter { known.insert($0).inserted }
    }

    /// The registries of the references.
    public var registries: Set<String> { Set(entries.map(\.reference.repository.registry)) }

    /// The references as they were written, if every text was one and there is any.
    ///
    /// - Throws: ``DrayageError`` with `invalidList`, naming each text with its file and line, or with `emptyList`.
    public func checkedEntries() throws -> [Entry] {
        guard problems.isEmpty else {
            throw DrayageError(.invalidList, problems.joined(separator: "\n"))
        }
        guard !entries.isEmpty else {
            let empty = emptyFiles.map { "\($0) names no image" }.joined(separator: ", ")
            throw DrayageError(
                .emptyList,
                "the list of images is empty: "
                    + (empty.isEmpty ? "give references as arguments, or a file of them with -f" : empty)
            )
        }
        return entries
    }
}
