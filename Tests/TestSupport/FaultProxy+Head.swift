import Foundation

extension FaultProxy {
    /// The head of a message, byte for byte but for what is set.
    struct Head: Sendable {
        private var lines: [[UInt8]]

        /// Takes a head with the empty line.
        init(_ bytes: [UInt8]) {
            lines = bytes.dropLast(4).split(separator: Array("\r\n".utf8), omittingEmptySubsequences: false).map(
                Array.init
            )
        }

        /// The head, with the empty line.
        var bytes: [UInt8] { Array(lines.joined(separator: Array("\r\n".utf8))) + Array("\r\n\r\n".utf8) }

        /// The head as text, without the empty line.
        var text: String { lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\r\n") }

        /// What the head says, where it is that of an answer.
        var answer: HTTPAnswer? { HTTPAnswer(head: Array(text.utf8)) }

        /// Gives the header field another value in its place, or adds it; nil removes it.
        mutating func set(_ name: String, to value: String?) {
            let place = lines.dropFirst().firstIndex { Self.isField($0, name) }
            guard let value else { return lines.removeAll { Self.isField($0, name) } }
            let line = Array("\(name): \(value)".utf8)
            if let place { lines[place] = line } else { lines.append(line) }
        }

        /// Writes another text wherever one occurs in the fields of that name.
        mutating func replace(_ old: String, with new: String, in name: String) {
            for (index, line) in lines.enumerated() where Self.isField(line, name) {
                lines[index] = Array(line.replacing(Array(old.utf8), with: Array(new.utf8)))
            }
        }

        /// Says another version of HTTP in an answer's first line.
        mutating func setVersion(_ version: String) {
            lines[0] = Array(version.utf8) + lines[0].drop { $0 != UInt8(ascii: " ") }
        }

        private static func isField(_ line: [UInt8], _ name: String) -> Bool {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
            return String(decoding: line[..<colon], as: UTF8.self).lowercased() == name.lowercased()
        }
    }
}
