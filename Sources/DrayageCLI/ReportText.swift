import Drayage

/// A report as a person reads it.
struct ReportText {
    private let report: Report
    private let columns: Int?

    /// Takes a report, and the width of the terminal that its text is for; nil for anything else.
    init(_ report: Report, columns: Int? = nil) {
        self.report = report
        self.columns = columns
    }

    /// What goes to stdout.
    var text: String {
        if let repositories = report.repositories { return text(of: repositories) }
        if let plan = report.plan {
            return PruneText(plan).table(of: report.removed == nil ? nil : .remove, columns: columns)
        }
        if let checks = report.checks { return text(of: checks) }
        if let found = report.found { return text(of: found) }
        switch report.command {
        case "list": return imageTable
        case "verify", "repair", "login", "logout": return ""
        default: return report.images.contains { $0.status == .planned } ? planTable : resultTable
        }
    }

    private func text(of checks: [Report.Check]) -> String {
        TextTable(
            header: ["WHERE", "WHAT", "ANSWER", "DETAIL"],
            rows: checks.map { [$0.subject, $0.name, $0.answer.rawValue, $0.detail ?? ""] },
            rightAligned: []
        ).text(columns: columns)
    }

    /// A list of images that can be read again, each with its places behind.
    private func text(of found: [Report.FoundImage]) -> String {
        let places = Dictionary(grouping: found, by: \.reference)
        let width = report.images.map(\.reference.count).max() ?? 0
        return report.images.map { image in
            let texts = (places[image.reference] ?? []).map { found in
                ([found.place] + [found.object, found.field].compactMap(\.self)).joined(separator: " ")
            }
            let padding = String(repeating: " ", count: width - image.reference.count)
            return "\(image.reference)\(padding)  # \(texts.joined(separator: ", "))".printable + "\n"
        }.joined()
    }

    private var imageTable: String {
        let (referrers, original) = (referrersHeader, originalHeader)
        return TextTable(
            header: ["REFERENCE", "PLATFORMS", "SIZE"] + referrers + ["DIGEST"] + original,
            rows: report.images.map { image in
                [image.reference, (image.platforms ?? []).joined(separator: ", "), Self.size(image.byteCount)]
                    + referrers.map { _ in Self.referrers(of: image) } + [image.digest?.description ?? ""]
                    + original.map { _ in image.originalDigest?.description ?? "" }
            },
            rightAligned: referrers.isEmpty ? [2] : [2, 3]
        ).text(columns: columns)
    }

    private var planTable: String {
        let referrers = referrersHeader
        return TextTable(
            header: ["ACTION", "REFERENCE", "SIZE"] + referrers + ["DIGEST"],
            rows: report.images.map { image in
                [action(image), image.target ?? image.reference, Self.size(image.byteCount)]
                    + referrers.map { _ in Self.referrers(of: image) } + [
                        Self.digests(of: image, after: image.previousDigest ?? Self.original(of: image))
                    ]
            },
            rightAligned: referrers.isEmpty ? [2] : [2, 3]
        ).text(columns: columns)
    }

    /// What it is, and what it was or takes the place of where that is another.
    private static func digests(of image: Report.Image, after before: Digest?) -> String {
        // Where it is left as it is, that is what counts.
        if image.status == .skipped, let kept = image.previousDigest { return kept.description }
        return [before.map { "\($0) ->" }, image.digest?.description].compactMap(\.self).joined(separator: " ")
    }

    /// What a bundled image had been before platforms were left out; a target never had it.
    private static func original(of image: Report.Image) -> Digest? { image.target == nil ? image.originalDigest : nil }

    /// The column of what images were before platforms were left out, where that is another.
    private var originalHeader: [String] {
        report.images.contains { $0.originalDigest != nil } ? ["ORIGINAL"] : []
    }

    /// The column of what refers to images, where anything does.
    private var referrersHeader: [String] {
        report.images.contains { ($0.referrerCount ?? 0) > 0 } ? ["REFERRERS"] : []
    }

    private static func referrers(of image: Report.Image) -> String { image.referrerCount.map(String.init) ?? "" }

    private var resultTable: String {
        TextTable(
            header: nil,
            rows: report.images.map {
                [
                    $0.status.rawValue, $0.target ?? $0.reference,
                    Self.digests(of: $0, after: Self.original(of: $0)),
                ]
            },
            rightAligned: []
        ).text(columns: columns)
    }

    /// What failed, each cause once, with the images that it keeps away.
    var failures: [String] {
        var order: [String] = []
        var subjects: [String: [String]] = [:]
        for failure in report.failures {
            if subjects[failure.message] == nil { order.append(failure.message) }
            if !failure.message.contains(failure.subject), failure.subject != report.command {
                subjects[failure.message, default: []].append(failure.subject)
            } else {
                subjects[failure.message, default: []] += []
            }
        }
        return order.map { message in
            let affected = subjects[message] ?? []
            guard let first = affected.first else { return message }
            return message + "; needed by \(first)" + (affected.count > 1 ? " and \(affected.count - 1) more" : "")
        }
    }

    /// What registries say of their limits, for stderr.
    var quotas: [String] {
        let isDone = report.bundle != nil && report.outcome != .failed
        return (report.quotas ?? []).map { QuotaText($0, isDone: isDone).line }
    }

    /// One line at the end, for stderr.
    var summary: String? {
        let totals = report.totals
        let images = Count.text(report.images.count, "image")
        let blobs = Count.text(totals?.blobCount ?? 0, "blob")
        let size = Self.size(totals?.byteCount)
        switch (report.command, report.outcome) {
        case (_, .failed):
            return "\(report.command) failed: \(Count.text(report.failures.count, "failure"))"
        case ("bundle", _), ("merge", _):
            guard let bundle = report.bundle else { return "would bundle \(images), \(blobs), \(size)\(origins)" }
            return "\(bundle): \(images), \(blobs), \(Self.size(report.bundleByteCount))\(origins)\(left)"
        case ("push", _), ("copy", _):
            let isPlan = report.images.contains { $0.status == .planned }
            let uploads = Count.text(totals?.uploadCount ?? 0, "blob")
            return """
                \(report.target ?? ""): \(images), \(isPlan ? "to upload" : "uploaded") \(uploads) \
                (\(Self.size(totals?.uploadByteCount))), \(isPlan ? "to mount" : "mounted") \
                \(totals?.mountCount ?? 0)\(left)
                """
        case ("verify", _):
            let place = report.target ?? report.bundle ?? ""
            let content = totals.map { $0.blobCount > 0 ? ", \(blobs), \(size)" : "" } ?? ""
            return "\(place): \(images)\(content), all verified\(layers)\(left)"
        case ("repair", _):
            let repaired = (report.blobs ?? []).filter { $0.status == .repaired }
            let place = "\(report.bundle ?? ""): \(images), \(blobs), \(size)"
            guard !repaired.isEmpty else { return "\(place), nothing is damaged" }
            let repairs =
                "\(Count.text(repaired.count, "blob")) (\(Self.size(repaired.reduce(0) { $0 + $1.byteCount })))"
            let rest = report.failures.isEmpty ? "all verified" : "\(report.failures.count) still damaged"
            return "\(place); repaired \(repairs), \(rest)"
        case ("prune", _):
            return report.plan.map { "\(report.target ?? ""): \(pruned($0))" }
        case ("images", _):
            return "\(images), named in \(Count.text(report.found?.count ?? 0, "place"))"
        case ("list", _) where report.repositories == nil:
            return "\(images), \(blobs), \(Self.size(report.bundleByteCount))"
        default:
            return nil
        }
    }

    /// What was verified beyond the blobs themselves.
    private var layers: String {
        guard let totals = report.totals, let count = totals.layerCount else { return "" }
        return ", with the content of \(Count.text(count, "layer")) (\(Self.size(totals.layerByteCount)))"
    }

    /// Where the bytes of a bundle came from, besides registries.
    private var origins: String {
        let kept = report.totals?.keptByteCount.map { "\(Self.size($0)) from an interrupted run" }
        let reused = report.totals?.reusedByteCount.map { "\(Self.size($0)) from earlier bundles" }
        let all = [kept, reused].compactMap(\.self)
        return all.isEmpty ? "" : " (\(all.joined(separator: ", ")))"
    }

    private func pruned(_ plan: PrunePlan) -> String {
        let text = PruneText(plan)
        guard !plan.isEmpty else { return "there is nothing to remove; \(text.staying)" }
        guard let removed = report.removed else {
            return "would remove \(text.removal); \(text.staying), \(text.gain(of: plan.freedByteCount))"
        }
        return "removed \(PruneText.numbers(removed)); \(text.gain(of: removed.freedByteCount))"
    }

    private var left: String {
        let failed = report.failures.isEmpty ? nil : Count.text(report.failures.count, "image")
        let unnamed = report.unnamedCount.map { Count.text($0, "entry without a name", "entries without a name") }
        let all = [failed, unnamed].compactMap(\.self)
        return all.isEmpty ? "" : "; left out: " + all.joined(separator: ", ")
    }

    private func text(of repositories: [Report.RepositoryTags]) -> String {
        guard !repositories.isEmpty else { return "" }
        return TextTable(
            header: ["REPOSITORY", "TAGS"],
            rows: repositories.map { [$0.repository, $0.tags.joined(separator: ", ")] },
            rightAligned: []
        ).text(columns: columns)
    }

    private func action(_ image: Report.Image) -> String {
        switch image.status {
        case .planned: image.previousDigest == nil ? (image.target == nil ? "bundle" : report.command) : "overwrite"
        default: image.status.rawValue
        }
    }

    private static func size(_ byteCount: Int64?) -> String { byteCount.map { ByteText.size($0) } ?? "" }
}
