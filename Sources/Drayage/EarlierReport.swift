import FoundationEssentials

/// The report of an earlier run, as far as it tells what failed: to do just that again.
public struct EarlierReport: Sendable {
    private struct Document: Decodable {
        struct Image: Decodable {
            let reference: String
            let requested: String?
            let status: String
        }

        struct Removed: Decodable {}

        struct Failure: Decodable {
            let subject: String
        }

        let schema: String
        let command: String
        let outcome: Report.Outcome
        let target: String?
        let bundle: String?
        let images: [Image]
        let removed: Removed?
        let failures: [Failure]
        let plan: PrunePlan?
        let unfinished: [RepositoryPath]?
    }

    private let document: Document
    private let path: String

    /// Reads a report.
    ///
    /// - Parameters:
    ///   - text: what `--report` wrote or `--json` printed.
    ///   - command: the command that it must be of.
    ///   - path: what errors call it.
    /// - Throws: ``DrayageError`` with `usage` where it is none, or of another command.
    public init(_ text: [UInt8], of command: String, path: String) throws {
        self.path = path.printable
        do {
            document = try JSONDecoder().decode(Document.self, from: Data(text))
        } catch {
            throw DrayageError(.usage, "\(path.printable) is no report of drayage")
        }
        guard document.schema == Report.currentSchema, document.command == command else {
            let found = "\(document.schema) of drayage \(document.command)".printable
            throw DrayageError(
                .usage,
                "\(path.printable) is \(found); \(Report.currentSchema) of drayage \(command) is needed"
            )
        }
    }

    /// The images that a bundle was made without.
    ///
    /// - Throws: ``DrayageError`` with `usage` where no bundle was made, or nothing failed.
    public func missingImages() throws -> [Reference] {
        try requireRun(document.bundle != nil)
        guard document.outcome != .failed else {
            throw DrayageError(
                .usage,
                "no bundle was written by the run of which \(path) tells; the same command goes on with it"
            )
        }
        let references = try document.failures.map { failure in
            do {
                return try Reference(parsing: failure.subject)
            } catch {
                throw DrayageError(.usage, "\(path) names an image that failed, and it is none", underlying: error)
            }
        }
        guard !references.isEmpty else { throw nothingFailed }
        return references
    }

    /// The images of a bundle that a push to a target could not bring, by their names in the bundle.
    ///
    /// - Throws: ``DrayageError`` with `usage` where the push was to another target, or no image failed.
    public func unpushedImages(to target: RegistryTarget) throws -> Set<String> {
        try check(target.description)
        try requireRun(!document.images.contains { $0.status == Report.Status.planned.rawValue })
        let names = document.images.filter { $0.status == Report.Status.failed.rawValue }.map(\.reference)
        guard !names.isEmpty else { throw nothingFailed }
        return Set(names)
    }

    /// The images that a copy could not bring.
    ///
    /// - Throws: ``DrayageError`` with `usage` where the copy was to another target, or no image failed.
    public func uncopiedImages(to target: RegistryTarget) throws -> [Reference] {
        _ = try unpushedImages(to: target)
        let failed = document.images.filter { $0.status == Report.Status.failed.rawValue }
        return try failed.map { $0.requested ?? $0.reference }.sorted().map { name in
            do {
                return try Reference(parsing: name)
            } catch {
                throw DrayageError(.usage, "\(path) names an image that failed, and it is none", underlying: error)
            }
        }
    }

    /// The plan of a prune of which something could not be removed: for a registry without the repositories that are
    /// done, for a storage directory whole, as what is gone there is passed over.
    ///
    /// - Throws: ``DrayageError`` with `usage` where nothing failed, or nothing was planned.
    public func unfinishedPlan() throws -> PrunePlan {
        guard let plan = document.plan else {
            throw DrayageError(.usage, "the run of which \(path) tells ended without a plan; run it again")
        }
        try requireRun(document.removed != nil)
        guard !document.failures.isEmpty else { throw nothingFailed }
        return document.unfinished.map { plan.limited(to: Set($0)) } ?? plan
    }

    /// Refuses the report of a run that was only to show what it would do.
    private func requireRun(_ wasRun: Bool) throws {
        guard !wasRun else { return }
        throw DrayageError(
            .usage,
            "the run of which \(path) tells was only to show what it would do; run it without that"
        )
    }

    private var nothingFailed: DrayageError {
        DrayageError(.usage, "\(path) tells of nothing that failed, so there is nothing to do again")
    }

    private func check(_ target: String) throws {
        guard document.target == target else {
            throw DrayageError(
                .usage,
                "\(path) is of a run with \((document.target ?? "no target").printable), not \(target)"
            )
        }
    }
}
