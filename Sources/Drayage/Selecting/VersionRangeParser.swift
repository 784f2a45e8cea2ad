/// Reads the text of a ``VersionRange``.
struct VersionRangeParser {
    /// What stands before a version; of two that begin alike the longer is first.
    private enum Operation: String, CaseIterable {
        case notEqual = "!="
        case atLeast = ">="
        case atMost = "<="
        case equal = "="
        case above = ">"
        case below = "<"
        case caret = "^"
        case tilde = "~"
    }

    private let text: String
    private let bytes: [UInt8]
    private var index = 0

    /// Begins at the beginning of a text.
    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    /// Reads the whole text.
    ///
    /// - Returns: the sets of conditions, of which one has to hold.
    /// - Throws: ``VersionRangeError`` with the rule that it breaks, and where.
    mutating func alternatives() throws(VersionRangeError) -> [[VersionCondition]] {
        guard bytes.count <= VersionRange.byteLimit else { throw VersionRangeError(.tooLong, in: text) }
        guard bytes.contains(where: { !Self.isSeparator($0) }) else { throw VersionRangeError(.empty, in: text) }
        var sets = [try conditions()]
        while index < bytes.count {
            guard bytes[index...].starts(with: "||".utf8) else {
                throw VersionRangeError(.invalidVersion, in: text, at: index)
            }
            index += 2
            sets.append(try conditions())
        }
        return sets
    }

    private mutating func conditions() throws(VersionRangeError) -> [VersionCondition] {
        var conditions: [VersionCondition] = []
        skip(Self.isSeparator)
        while index < bytes.count, bytes[index] != UInt8(ascii: "|") {
            conditions.append(try condition())
            skip(Self.isSeparator)
        }
        guard !conditions.isEmpty else { throw VersionRangeError(.missingVersion, in: text, at: index) }
        return conditions
    }

    private mutating func condition() throws(VersionRangeError) -> VersionCondition {
        let start = index
        let operation = takeOperation()
        skip(Self.isBlank)
        let operand = try operand()
        if operation == nil, takeHyphen() {
            let end = try self.operand()
            return VersionCondition(
                bounds: [.atLeast(operand.version)] + (Self.bounds(.atMost, end) ?? []),
                asksForPrereleases: !operand.prerelease.isEmpty || !end.prerelease.isEmpty
            )
        }
        guard let bounds = Self.bounds(operation ?? .equal, operand) else {
            throw VersionRangeError(.wildcardCompared, in: text, at: start)
        }
        let isNegated = operation == .notEqual
        return VersionCondition(
            bounds: bounds,
            isNegated: isNegated,
            asksForPrereleases: !isNegated && !operand.prerelease.isEmpty
        )
    }

    /// - Returns: nil where nothing can be more, less or other than every version.
    private static func bounds(_ operation: Operation, _ operand: VersionOperand) -> [VersionCondition.Bound]? {
        guard let last = operand.numbers.indices.last else {
            return [.above, .below, .notEqual].contains(operation) ? nil : []
        }
        let version = operand.version
        switch operation {
        case .atLeast:
            return [.atLeast(version)]
        case .above:
            return operand.isPartial
                ? [.atLeast(operand.next(at: last, withPrereleases: false))] : [.above(version)]
        case .below:
            return [.below(operand.isPartial ? operand.lowest : version)]
        case .atMost:
            return operand.isPartial ? [.below(operand.next(at: last))] : [.atMost(version)]
        case .equal, .notEqual:
            return [.atLeast(version), operand.isPartial ? .below(operand.next(at: last)) : .atMost(version)]
        case .caret:
            return [.atLeast(version), .below(operand.next(at: operand.caretPlace(last: last)))]
        case .tilde:
            return [.atLeast(version), .below(operand.next(at: min(last, 1)))]
        }
    }

    // MARK: - The words

    private mutating func operand() throws(VersionRangeError) -> VersionOperand {
        let start = index
        skip { !Self.isSeparator($0) && !"|!<>=^~".utf8.contains($0) }
        guard index > start else { throw VersionRangeError(.missingVersion, in: text, at: start) }
        guard let operand = VersionOperand(String(decoding: bytes[start..<index], as: UTF8.self)[...]) else {
            throw VersionRangeError(.invalidVersion, in: text, at: start)
        }
        return operand
    }

    private mutating func takeOperation() -> Operation? {
        let operation = Operation.allCases.first { bytes[index...].starts(with: $0.rawValue.utf8) }
        index += operation?.rawValue.utf8.count ?? 0
        return operation
    }

    /// Takes the hyphen of `1.2 - 1.4`, and the blanks around it without which it is a part of a version.
    private mutating func takeHyphen() -> Bool {
        let start = index
        skip(Self.isBlank)
        if index > start, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "-"), Self.isBlank(bytes[index + 1]) {
            index += 1
            skip(Self.isBlank)
            return true
        }
        index = start
        return false
    }

    private mutating func skip(_ isSkipped: (UInt8) -> Bool) {
        while index < bytes.count, isSkipped(bytes[index]) { index += 1 }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { " \t".utf8.contains(byte) }
    private static func isSeparator(_ byte: UInt8) -> Bool { isBlank(byte) || byte == UInt8(ascii: ",") }
}
