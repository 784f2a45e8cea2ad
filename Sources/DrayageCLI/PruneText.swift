import Drayage

/// A plan to prune as a person reads it.
struct PruneText {
    private let plan: PrunePlan

    init(_ plan: PrunePlan) { self.plan = plan }

    /// The rows of a plan.
    ///
    /// - Parameters:
    ///   - action: which of them; nil for all.
    ///   - columns: the width of the terminal; nil for anything else.
    /// - Returns: the table, empty where there is no such row.
    func table(of action: PrunePlan.Action?, columns: Int?) -> String {
        var rows = plan.repositories.flatMap { self.rows(of: $0, action) }
        if action == nil {
            rows += plan.missing.map { ["missing", $0.reference, "required (\($0.place))"] }
        }
        guard !rows.isEmpty else { return "" }
        return TextTable(header: ["ACTION", "IMAGE", "WHY"], rows: rows, rightAligned: []).text(columns: columns)
    }

    /// What goes, in numbers.
    var removal: String {
        let repositories = plan.repositories
        return Self.numbers([
            (repositories.reduce(0) { $0 + $1.tags.count(where: { $0.action == .remove }) }, "tag", "tags"),
            (
                repositories.reduce(0) { $0 + $1.manifests.count(where: { $0.action == .remove }) }, "manifest",
                "manifests"
            ),
            (plan.blobs.count, "blob", "blobs"),
            (repositories.reduce(0) { $0 + $1.layers.count }, "link", "links"),
            (repositories.reduce(0) { $0 + $1.uploadCount }, "upload", "uploads"),
            (repositories.count(where: \.isRemoved), "whole repository", "whole repositories"),
        ])
    }

    /// What stays, in numbers.
    var staying: String {
        let tags = plan.repositories.reduce(0) { $0 + $1.tags.count(where: { $0.action == .keep }) }
        return "\(Count.text(tags, "tag")) \(tags == 1 ? "stays" : "stay")"
    }

    /// What room is won: at once in a storage directory, later on a registry.
    func gain(of byteCount: Int64) -> String {
        let size = ByteText.size(byteCount)
        return plan.target.hasPrefix("/")
            ? "\(size) free" : "up to \(size) come free when the registry collects its garbage"
    }

    /// What was removed, in numbers.
    static func numbers(_ removed: Report.Removal) -> String {
        numbers([
            (removed.tagCount, "tag", "tags"), (removed.manifestCount, "manifest", "manifests"),
            (removed.blobCount, "blob", "blobs"), (removed.linkCount, "link", "links"),
            (removed.uploadCount, "upload", "uploads"),
            (removed.repositoryCount, "whole repository", "whole repositories"),
        ])
    }

    private static func numbers(_ counts: [(count: Int, one: String, many: String)]) -> String {
        let parts = counts.filter { $0.count > 0 }.map { Count.text($0.count, $0.one, $0.many) }
        return parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
    }

    private func rows(of repository: PrunePlan.Repository, _ action: PrunePlan.Action?) -> [[String]] {
        func isWanted(_ own: PrunePlan.Action) -> Bool { action == nil || action == own }
        var rows: [[String]] = []
        if repository.isRemoved, isWanted(.remove) {
            rows.append(["remove", repository.repository.description, "nothing of it stays"])
        }
        let tagged = Set(repository.tags.compactMap(\.digest))
        rows += repository.tags.filter { isWanted($0.action) }.map {
            [$0.action.rawValue, "\(repository.repository):\($0.tag)", $0.reason]
        }
        // A manifest with a tag goes and stays with it; what is beneath one that stays needs no row.
        rows += repository.manifests
            .filter { isWanted($0.action) && !tagged.contains($0.digest) && !$0.reason.hasPrefix("beneath ") }
            .map { [$0.action.rawValue, "\(repository.repository)@\($0.digest)", $0.reason] }
        return rows
    }
}

/// A number of things.
enum Count {
    static func text(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) \(count == 1 ? one : many ?? one + "s")"
    }
}
