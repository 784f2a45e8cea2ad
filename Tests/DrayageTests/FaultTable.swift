import Drayage
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RegistryClient

/// What came of each fault, as a table that is printed when all have been tried.
final class FaultTable: Sendable, CustomStringConvertible {
    @TaskLocal static var current = FaultTable()

    private let rows = Mutex<[[String]]>([])

    /// Adds a line.
    ///
    /// - Parameters:
    ///   - fault: what went wrong.
    ///   - site: where.
    ///   - report: what the job said in the end.
    func note(_ fault: String, at site: FaultSite, _ report: Report) {
        let failure = report.failures.first?.message ?? "no reason given"
        let outcome = report.outcome == .done ? "whole" : "failed: \(Self.cause(in: failure))"
        let row = [fault, site.job.rawValue, outcome, "\(site.proxy.exchanges.count)"]
        rows.withLock { $0.append(row) }
    }

    /// What a message says after its last address, without all of a digest.
    private static func cause(in message: String) -> String {
        let start = message.ranges(of: /http:\/\/\S+\s/).last?.upperBound ?? message.startIndex
        return String(message[start...]).replacing(/:(\w{8})\w{56}/) { ":\($0.1)…" }
    }

    var description: String {
        let sorted = rows.withLock { $0 }.sorted { $0.lexicographicallyPrecedes($1) }
        let lines = [["fault", "job", "outcome", "requests"]] + sorted
        let widths = (0..<3).map { column in lines.map { $0[column].count }.max() ?? 0 } + [0]
        let texts = lines.map { line in
            zip(line, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count)) }.joined(separator: "  ")
        }
        return texts.joined(separator: "\n")
    }
}

/// Lets so many cases of a suite run at a time: with all at once even what has no fault may stall.
struct LimitsCases: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true
    private let slots: RequestSlots

    init(to limit: Int) { slots = RequestSlots(limit: limit) }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws { try await slots.withSlot { try await function() } }
}

/// Prints the table of a suite when all tests of the suite have ended.
struct PrintsFaultTable: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let table = FaultTable()
        // At once, so that nothing that others write comes between.
        defer { FileHandle.standardOutput.write(Data("\(table)\n".utf8)) }
        try await FaultTable.$current.withValue(table) { try await function() }
    }
}

extension Trait where Self == LimitsCases {
    static func limitsCases(to limit: Int) -> Self { Self(to: limit) }
}

extension Trait where Self == PrintsFaultTable {
    static var printsFaultTable: Self { Self() }
}
