import Drayage

/// A report as a person reads it.
struct ReportText {
    private let report: Report

    init(_ report: Report) { self.report = report }

    /// What goes to stdout.
    var text: String {
        if let repositories = report.repositories { return Self.text(of: repositories) }
        switch report.command {
        case "list": return imageTable
        case "verify": return ""
        default: return report.images.contains { $0.status == .planned } ? planTable : resultTable
        }
    }

    private var imageTable: String {
        TextTable(
            header: ["REFERENCE", "PLATFORMS", "SIZE", "DIGEST"],
            rows: report.images.map {
                [
                    $0.reference, ($0.platforms ?? []).joined(separator: ", "), Self.size($0.byteCount),
                    $0.digest?.description ?? "",
                ]
            },
            rightAligned: [2]
        ).text
    }

    private var planTable: String {
        TextTable(
            header: ["ACTION", "REFERENCE", "SIZE", "DIGEST"],
            rows: report.images.map { image in
                let digests = [image.previousDigest.map { "\($0) ->" }, image.digest?.description]
                return [
                    Self.action(image), image.target ?? image.reference, Self.size(image.byteCount),
                    digests.compactMap(\.self).joined(separator: " "),
                ]
            },
            rightAligned: [2]
        ).text
    }

    private var resultTable: String {
        TextTable(
            header: nil,
            rows: report.images.map {
                [$0.status.rawValue, $0.target ?? $0.reference, $0.digest?.description ?? ""]
            },
            rightAligned: []
        ).text
    }

    /// One line at the end, for stderr.
    var summary: String? {
        let totals = report.totals
        let images = Self.count(report.images.count, "image")
        let blobs = Self.count(totals?.blobCount ?? 0, "blob")
        let size = Self.size(totals?.byteCount)
        switch (report.command, report.outcome) {
        case (_, .failed):
            return "\(report.command) failed: \(Self.count(report.failures.count, "failure"))"
        case ("bundle", _):
            guard let bundle = report.bundle else { return "would bundle \(images), \(blobs), \(size)" }
            return "\(bundle): \(images), \(blobs), \(Self.size(report.bundleByteCount))\(left)"
        case ("push", _):
            let isPlan = report.images.contains { $0.status == .planned }
            let uploads = Self.count(totals?.uploadCount ?? 0, "blob")
            return """
                \(report.target ?? ""): \(images), \(isPlan ? "to upload" : "uploaded") \(uploads) \
                (\(Self.size(totals?.uploadByteCount))), \(isPlan ? "to mount" : "mounted") \
                \(totals?.mountCount ?? 0)\(left)
                """
        case ("verify", _):
            let place = report.target ?? report.bundle ?? ""
            return "\(place): \(images)\(totals.map { $0.blobCount > 0 ? ", \(blobs), \(size)" : "" } ?? ""), all verified"
        case ("list", _) where report.repositories == nil:
            return "\(images), \(blobs), \(Self.size(report.bundleByteCount))"
        default:
            return nil
        }
    }

    private var left: String {
        report.failures.isEmpty ? "" : "; left out: \(Self.count(report.failures.count, "image"))"
    }

    private static func text(of repositories: [Report.RepositoryTags]) -> String {
        TextTable(
            header: ["REPOSITORY", "TAGS"],
            rows: repositories.map { [$0.repository, $0.tags.joined(separator: ", ")] },
            rightAligned: []
        ).text
    }

    private static func action(_ image: Report.Image) -> String {
        switch image.status {
        case .planned: image.previousDigest == nil ? (image.target == nil ? "bundle" : "push") : "overwrite"
        default: image.status.rawValue
        }
    }

    private static func size(_ byteCount: Int64?) -> String { byteCount.map { ByteText.size($0) } ?? "" }

    private static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}

/// Rows of cells, lined up.
struct TextTable {
    let header: [String]?
    let rows: [[String]]
    let rightAligned: Set<Int>

    /// The lines, each with its end.
    var text: String {
        let lines = ((header.map { [$0] } ?? []) + rows).map { $0.map(\.terminalSafe) }
        var widths: [Int] = []
        for line in lines {
            for (index, cell) in line.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.count)
            }
        }
        return lines.map { line in
            let cells = line.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                if rightAligned.contains(index) { return padding + cell }
                return index == line.count - 1 ? cell : cell + padding
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

/// Numbers of bytes as a person reads them.
enum ByteText {
    /// In decimal units, three digits at least: `1.23 GB`.
    static func size(_ byteCount: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var value = Double(byteCount)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        guard unit > 0 else { return "\(byteCount) B" }
        let digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
        return "\(decimal(value, digits: digits)) \(units[unit])"
    }

    private static func decimal(_ value: Double, digits: Int) -> String {
        let scale = digits == 2 ? 100 : digits == 1 ? 10 : 1
        let scaled = Int((value * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = "\(scaled % scale)"
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
