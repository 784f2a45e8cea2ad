/// What a search for images has found in several files.
public struct ImageInventory: Sendable {
    private let ignoresProblems: Bool
    private var found: [ImageFinder.Occurrence] = []
    private var problems: [ImageFinder.Problem] = []

    /// Begins.
    ///
    /// - Parameter ignoresProblems: whether what should name an image and does not is told in a note, and no failure.
    public init(ignoresProblems: Bool = false) { self.ignoresProblems = ignoresProblems }

    /// Adds what was found in a file.
    public mutating func add(_ findings: ImageFinder.Findings) {
        found += findings.occurrences
        problems += findings.problems
    }

    /// The images, each once with all its places; what names none is a failure.
    public var report: Report {
        var report = Report(command: "images")
        report.found = found.map(Report.FoundImage.init)
        var known: Set<String> = []
        for entry in report.found ?? [] where known.insert(entry.reference).inserted {
            report.images.append(Report.Image(reference: entry.reference, status: .present))
        }
        if ignoresProblems {
            report.notes = problems.map { "passed over: \($0)" }
        } else {
            report.failures = problems.map {
                Report.Failure(subject: $0.place, message: $0.description, exitCode: .failed)
            }
        }
        report.outcome = report.failures.isEmpty ? .done : report.images.isEmpty ? .failed : .partial
        return report
    }
}

extension Report {
    /// An image that a file names.
    public struct FoundImage: Sendable, Encodable {
        /// The reference, canonical, with the tag `latest` where it has neither tag nor digest; all tags of a repository
        /// are `:*`.
        public let reference: String
        /// The reference as it is written there.
        public let text: String
        /// Where: `deploy.yaml:12`.
        public let place: String
        /// The object that names it: `Deployment/web`.
        public let object: String?
        /// The field of the object: `spec.containers[0].image`.
        public let field: String?

        init(_ occurrence: ImageFinder.Occurrence) {
            reference =
                occurrence.meansAllTags
                ? "\(occurrence.reference.repository)\(TagWildcard.suffix)"
                : occurrence.reference.withDefaultTag.description
            text = occurrence.text.printable
            place = occurrence.place
            object = occurrence.object?.printable
            field = occurrence.field?.printable
        }
    }
}
