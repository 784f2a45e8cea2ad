import Drayage

/// Rows of cells, lined up.
struct TextTable {
    let header: [String]?
    let rows: [[String]]
    let rightAligned: Set<Int>

    /// The lines, each with its end.
    ///
    /// - Parameter columns: the width of the terminal. Where the lines are wider, the digests are shortened: a line
    ///   that wraps is no table. Nil shortens nothing.
    /// - Returns: the text, one line a row.
    func text(columns: Int?) -> String {
        let full = ((header.map { [$0] } ?? []) + rows).map { $0.map(\.printable) }
        let text = Self.text(of: full, rightAligned: rightAligned)
        guard let columns, text.split(separator: "\n").contains(where: { $0.count > columns }) else { return text }
        return Self.text(of: full.map { $0.map(Self.shortened) }, rightAligned: rightAligned)
    }

    private static func shortened(_ cell: String) -> String {
        cell.split(separator: " ").map { word in
            guard let digest = try? Digest(parsing: String(word)) else { return String(word) }
            return "\(digest.algorithm.rawValue):\(digest.hex.prefix(12))"
        }.joined(separator: " ")
    }

    private static func text(of lines: [[String]], rightAligned: Set<Int>) -> String {
        let lengths = lines.map { $0.map(\.count) }
        var widths: [Int] = []
        for line in lengths {
            for (index, length) in line.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], length)
            }
        }
        return zip(lines, lengths).map { line, lengths in
            let cells = line.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - lengths[index])
                if rightAligned.contains(index) { return padding + cell }
                return index == line.count - 1 ? cell : cell + padding
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
