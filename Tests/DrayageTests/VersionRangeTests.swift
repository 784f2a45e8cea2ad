import TestSupport
import Testing

@testable import Drayage

/// A range with versions that it means, and others.
struct RangeVector: Sendable, CustomTestStringConvertible {
    let range: String
    let matching: [String]
    let other: [String]

    init(_ range: String, has matching: [String], not other: [String]) {
        self.range = range
        self.matching = matching
        self.other = other
    }

    var testDescription: String { range }
}

@Suite struct VersionRangeTests {
    private func check(_ vector: RangeVector) throws {
        let range = try VersionRange(parsing: vector.range)
        #expect(range.description == vector.range)
        for text in vector.matching { #expect(range.contains(try Tag(parsing: text)), "\(text)") }
        for text in vector.other { #expect(!range.contains(try Tag(parsing: text)), "\(text)") }
    }

    /// Where node and Masterminds agree.
    @Test(arguments: [
        RangeVector("1.0.0", has: ["1.0.0", "v1.0.0", "1.0", "1"], not: ["1.0.1", "1.0.0-rc1", "latest"]),
        RangeVector("=1.2.3", has: ["1.2.3"], not: ["1.2.3-beta", "1.2.4"]),
        RangeVector(">=1.0.0", has: ["1.0.0", "1.0.1", "1.1.0"], not: ["0.0.0", "0.1.0"]),
        RangeVector(">1.0.0", has: ["1.0.1", "1.1.0"], not: ["1.0.0", "0.0.1"]),
        RangeVector("<=2.0.0", has: ["2.0.0", "1.9999.9999", "0.2.9"], not: ["3.0.0", "2.9999.9999", "2.2.9"]),
        RangeVector("<2.0.0", has: ["1.9999.9999", "0.2.9"], not: ["2.0.0", "2.2.9"]),
        RangeVector("!=1.2.3", has: ["1.2.4", "0.1"], not: ["1.2.3", "1.2.4-rc1"]),
        RangeVector(">=  1.0.0", has: ["1.0.1"], not: ["0.9"]),
        RangeVector("<\t2.0.0", has: ["0.2.9"], not: ["2.0.0"]),
        RangeVector(">=1.2 <2", has: ["1.2", "1.2.0", "1.99"], not: ["1.1.9", "2", "2.0.0"]),
        RangeVector(">= 1.2.3, < 2.0.0 , !=1.4.0", has: ["1.2.3", "1.4.1"], not: ["1.4.0", "1.4", "2.0.0"]),
        RangeVector(">=1.2<2", has: ["1.2"], not: ["2"]),
        RangeVector("0.1.20 || 1.2.4", has: ["1.2.4", "0.1.20"], not: ["1.2.3"]),
        RangeVector(">=0.2.3 || <0.0.1", has: ["0.0.0", "0.2.3", "0.2.4"], not: ["0.0.3", "0.2.2"]),
        RangeVector(">=1 <2||>=3", has: ["1.5", "3.0.1"], not: ["2.5"]),
        RangeVector("~1.2.1 >=1.2.3", has: ["1.2.3"], not: ["1.2.2"]),
        RangeVector("^1.2 ^1", has: ["1.4.2"], not: ["1.1"]),
    ])
    func `conditions compare`(vector: RangeVector) throws { try check(vector) }

    @Test(arguments: [
        RangeVector("2.x.x", has: ["2.1.3"], not: ["1.1.3", "3.1.3"]),
        RangeVector("1.2.x", has: ["1.2.3", "1.2", "1.2.3.4"], not: ["1.3.3", "1.1.9"]),
        RangeVector("1.2.* || 2.X", has: ["2.1.3", "1.2.3"], not: ["3.1.3", "1.1.3"]),
        RangeVector("2", has: ["2.1.2", "2"], not: ["1.1.2", "3"]),
        RangeVector("2.3", has: ["2.3.1"], not: ["2.4.1"]),
        RangeVector("=0.7.x", has: ["0.7.2"], not: ["0.8.2", "0.7.0-asdf"]),
        RangeVector("!=1.2.x", has: ["1.3.0", "1.1.9"], not: ["1.2.0", "1.2.7"]),
        RangeVector("*", has: ["0", "1.2.3", "v99"], not: ["1.2.3-foo", "latest"]),
        RangeVector(">=*", has: ["0.2.4"], not: []),
        RangeVector("^x", has: ["1.2.3"], not: []),
        RangeVector(">1.2", has: ["1.3.0"], not: ["1.2.8", "1.3.0-beta"]),
        RangeVector(">11", has: ["12.0.0"], not: ["11.1.0"]),
        RangeVector("<=0.7.x", has: ["0.7.2", "0.6.2"], not: ["0.8.0"]),
        RangeVector("<=7", has: ["7.9.9"], not: ["8"]),
        RangeVector(">=0.7.x", has: ["0.7.2"], not: ["0.6.2", "0.7.0-asdf"]),
        RangeVector("<1.2", has: ["1.1.1"], not: ["1.2", "1.2.0"]),
        // A date is a version with zeros before its numbers.
        RangeVector("2024.01.x", has: ["2024.01.05", "2024.1.31"], not: ["2024.02.01", "2023.01.05"]),
    ])
    func `numbers that are not there stand for all`(vector: RangeVector) throws { try check(vector) }

    @Test(arguments: [
        RangeVector("^1.2.3", has: ["1.2.3", "1.8.1"], not: ["1.2.2", "2.0.0", "1.2.3-pre", "2.0.0-alpha"]),
        RangeVector("^1.2", has: ["1.4.2", "1.2"], not: ["1.1.9", "2.0", "1.2.0-pre"]),
        RangeVector("^1", has: ["1.0", "1.9"], not: ["2"]),
        RangeVector("^0.2.3", has: ["0.2.3", "0.2.9"], not: ["0.3.0", "0.2.2"]),
        RangeVector("^0.1", has: ["0.1.2"], not: ["0.2"]),
        RangeVector("^0.0.1", has: ["0.0.1"], not: ["0.0.2-alpha", "0.0.2"]),
        RangeVector("^0.0", has: ["0.0.7"], not: ["0.1.0"]),
        RangeVector("^0", has: ["0.9"], not: ["1.0"]),
        RangeVector("^0.0.0.5", has: ["0.0.0.5", "0.0.0.9"], not: ["0.0.0.4", "0.0.1"]),
        RangeVector("^1.2.3+build", has: ["1.2.3", "1.3.0"], not: ["2.0.0", "1.2.0"]),
        RangeVector("~0.0.1", has: ["0.0.1", "0.0.2"], not: ["0.1.0", "0.1.0-alpha"]),
        RangeVector("~2.4", has: ["2.4.0", "2.4.5"], not: ["2.5.0", "2.3.9"]),
        RangeVector("~ 1.0.3", has: ["1.0.12"], not: ["1.0.2", "1.1.0"]),
        RangeVector("~1", has: ["1.2.3"], not: ["0.2.3", "2.0"]),
        RangeVector("~1.2.3.4", has: ["1.2.3.4", "1.2.9"], not: ["1.2.3", "1.3"]),
        RangeVector("1.0.0 - 2.0.0", has: ["1.0.0", "1.2.3", "2.0.0"], not: ["2.2.3", "0.9"]),
        RangeVector("1.2 - 1.4", has: ["1.2.0", "1.4.9"], not: ["1.1.9", "1.5.0"]),
        RangeVector("1.2.3 - 2", has: ["2.9.9"], not: ["3.0.0"]),
        RangeVector("x - 1.x", has: ["0.9.7"], not: ["2"]),
        RangeVector("1.0.0 - x", has: ["1.9.7"], not: ["0.9"]),
        RangeVector("1 - 2 !=1.5.0", has: ["1.4"], not: ["1.5.0"]),
    ])
    func `carets, tildes and hyphens are ranges`(vector: RangeVector) throws { try check(vector) }

    @Test(arguments: [
        RangeVector(">=1.25", has: ["1.27.3"], not: ["1.27.3-rc1", "1.27-alpine"]),
        RangeVector(">=1.25-0", has: ["1.25.0-rc1", "1.25.0", "1.27.3-rc1", "1.27-alpine"], not: ["1.24.9"]),
        RangeVector("^1.2.3-rc2", has: ["1.2.3-rc2", "1.3.0-rc1", "1.9"], not: ["1.2.3-rc1", "2.0.0", "2.0.0-rc1"]),
        RangeVector("~v0.5.4-beta", has: ["0.5.4", "0.5.5", "0.5.4-pre"], not: ["0.5.4-alpha", "0.6.0-rc1"]),
        RangeVector("=3.20-alpine", has: ["3.20-alpine", "3.20.0-alpine"], not: ["3.20", "3.20-slim"]),
        RangeVector("1.2.3-pre+a - 2.4.3-pre+a", has: ["1.2.3", "1.2.3-pre.2", "2.4.3-alpha"], not: ["2.4.3"]),
        RangeVector("1.2.3+a - 2.4.3+a", has: ["1.2.3", "2.4.3"], not: ["1.2.3-pre.2", "2.4.3-alpha"]),
        RangeVector("^0.0.1-alpha", has: ["0.0.1-beta", "0.0.1"], not: ["0.0.2-alpha"]),
        RangeVector("^0.1.1-alpha", has: ["0.1.1-beta", "0.1.9"], not: ["0.2.0-rc1"]),
        RangeVector("^1.0.0-0", has: ["1.0.1-rc1"], not: ["2.0.0-rc1"]),
        RangeVector("<1", has: ["0.9"], not: ["1.0.0-beta", "0.9-beta"]),
        RangeVector("<=1.2.3", has: ["1.2.3"], not: ["1.2.3-beta"]),
        RangeVector(">1.25-0", has: ["1.25.0-rc1", "1.25.0"], not: ["1.25.0-0"]),
        // What ends before 2 has no 2.0-rc1; what ends before 2.0.0 has.
        RangeVector(">=1.2-0 <2", has: ["1.9-rc1"], not: ["2.0.0-rc1"]),
        RangeVector(">=1.2-0 <2.0.0", has: ["2.0.0-rc1"], not: ["2.0.0"]),
        // One set does not ask for the other, and who names what is not wanted asks for nothing.
        RangeVector(">1.0.0-beta.1 <2 || >3", has: ["1.0.0-beta.2", "1.5-rc1", "4"], not: ["4.1-rc1", "3.0.1-a"]),
        RangeVector(">=1.5-0 <1.6 || >=2", has: ["1.5-rc1", "2.1"], not: ["2.1-rc1"]),
        RangeVector(">=1.2 !=1.3.0-rc1", has: ["1.3"], not: ["1.3.0-rc1", "1.3.0-rc2"]),
        RangeVector(">=1.2-0 !=1.3.0-rc1", has: ["1.3.0-rc2"], not: ["1.3.0-rc1"]),
    ])
    func `a prerelease is meant where the set names one`(vector: RangeVector) throws { try check(vector) }

    @Test(
        arguments: [
            ("", VersionRangeError.Code.empty, nil),
            (" , ", .empty, nil),
            (String(repeating: "1", count: 513), .tooLong, nil),
            (">=", .missingVersion, 2),
            (">= <2", .missingVersion, 3),
            ("1.2 ||", .missingVersion, 6),
            ("|| 1.2", .missingVersion, 0),
            ("1 || || 2", .missingVersion, 5),
            ("~>1.2", .missingVersion, 1),
            ("1.2 | 2", .invalidVersion, 4),
            ("==1", .missingVersion, 1),
            ("abc", .invalidVersion, 0),
            (">=1.2 latest", .invalidVersion, 6),
            ("1.2.3.4.5", .invalidVersion, 0),
            ("1.x.3", .invalidVersion, 0),
            ("1.x-0", .invalidVersion, 0),
            ("x.x.x.x.x", .invalidVersion, 0),
            ("1.2 - ", .missingVersion, 6),
            ("1.2 -1.4", .invalidVersion, 4),
            ("!1", .missingVersion, 0),
            (">=é", .invalidVersion, 2),
            (">=" + String(repeating: "9", count: 19), .invalidVersion, 2),
            (">*", .wildcardCompared, 0),
            ("1 <x.x", .wildcardCompared, 2),
            ("!=*", .wildcardCompared, 0),
        ] as [(String, VersionRangeError.Code, Int?)]
    )
    func `what is no range is refused with the place`(text: String, code: VersionRangeError.Code, offset: Int?) {
        let error = #expect(throws: VersionRangeError.self) { try VersionRange(parsing: text) }
        #expect(error?.code == code)
        #expect(error?.offset == offset)
        #expect(error?.text == text)
    }

    @Test func `an error says what is wrong, and where`() {
        func message(_ text: String) -> String? {
            #expect(throws: VersionRangeError.self) { try VersionRange(parsing: text) }?.description
        }
        #expect(message("") == "a range of versions must not be empty: write one as '>=1.2 <2'")
        #expect(message(">=") == #"">=" is not a valid range of versions: a version is missing, at its end"#)
        #expect(
            message("1 \u{1b}")
                == #""1 \u{1B}" is not a valid range of versions: "#
                + "write 1.2, 1.2.x or 1.2.3-rc.1 for a version, before it one of = != < <= > >= ^ ~, "
                + #"at character 3 ("\u{1B}")"#
        )
        #expect((message(String(repeating: "x", count: 100_000))?.utf8.count ?? 0) < 1000)
    }
}
