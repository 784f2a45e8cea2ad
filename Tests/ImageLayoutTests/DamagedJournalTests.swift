import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Journals that are damaged: they are refused, or nothing wrong is believed of them.
@Suite struct DamagedJournalTests {
    private let run: KilledRun

    init() throws { run = try KilledRun() }

    /// Expects that a pair is refused, or that no blob is taken for whole that is not.
    ///
    /// - Returns: whether it was refused.
    @discardableResult
    private func check(_ changed: SavedPair, whole: Set<Digest>? = nil, _ comment: Comment) throws -> Bool {
        // The file itself is as it was, unless it was removed.
        if access(run.bundle.partialPath, F_OK) != 0 { try run.bundle.restore(run.pair) }
        try Data(changed.journal).write(to: URL(fileURLWithPath: run.bundle.journalPath))
        let layout: InterruptedLayout?
        do throws(LayoutError) {
            layout = try run.bundle.open()
        } catch {
            run.expect(error, nil, comment, #_sourceLocation)
            #expect(try run.scratch.read("bundle.tar.partial.journal") == changed.journal, comment)
            return true
        }
        guard let layout else { return false }
        #expect(layout.plan == run.bundle.plan, comment)
        for (index, blob) in layout.plan.blobs.enumerated() where layout.journal[index] == LayoutJournal.verified {
            #expect((whole ?? run.whole).contains(blob.descriptor.digest), comment)
        }
        return false
    }

    @Test func `a journal that was cut anywhere is refused`() throws {
        for length in 0..<run.pair.journal.count {
            var cut = run.pair
            cut.journal.removeSubrange(length...)
            #expect(try check(cut, "\(length)"), "\(length)")
        }
        var longer = run.pair
        longer.journal.append(0)
        #expect(try check(longer, "longer"))
    }

    @Test func `a byte of the plan that is another is found`() throws {
        for index in 0..<(try run.pair.tableOffset) {
            var changed = run.pair
            changed.journal[index] ^= 1 << UInt8(index % 8)
            // But for what lies between the plan and the table, which nobody reads.
            #expect(try check(changed, "\(index)") || index >= run.pair.tableOffset - 7, "\(index)")
        }
    }

    @Test func `no byte of the table that is another makes a blob whole`() throws {
        for index in try run.pair.tableOffset..<run.pair.journal.count {
            for bit in [0, 7] as [UInt8] {
                var changed = run.pair
                changed.journal[index] ^= 1 << bit
                try check(changed, "byte \(index), bit \(bit)")
                try changed.reboot()
                try check(changed, "byte \(index), bit \(bit), after another boot")
            }
            for byte in [0, 1, 2, 0x7f, 0x80, 0xff] as [UInt8] {
                var changed = run.pair
                changed.journal[index] = byte
                try check(changed, "byte \(index) is \(byte)")
            }
        }
    }

    @Test func `no byte that is another makes a file whose blobs were being moved one in which they are whole`() throws
    {
        var moving = run.pair
        try moving.set(.compacting)
        for index in try moving.tableOffset..<(moving.tableOffset + 8) {
            for byte in 0...255 as ClosedRange<UInt8> {
                var changed = moving
                changed.journal[index] = byte
                try check(changed, whole: [], "byte \(index) is \(byte)")
            }
        }
    }

    @Test func `zeros, ones and the numbers of other blobs make no blob whole`() throws {
        let (written, synced) = try run.pair.columns(run.bundle.plan)
        for start in [written, synced] {
            for fill in [0, 0xff] as [UInt8] {
                var changed = run.pair
                for index in start..<(start + synced - written) { changed.journal[index] = fill }
                #expect(try !check(changed, "\(start) is \(fill)"))
            }
        }
        // Only what is noted in its own place counts.
        for shift in 1..<run.bundle.plan.blobs.count {
            var changed = run.pair
            let column = Array(run.pair.journal[synced...])
            changed.journal.replaceSubrange(synced..., with: column[(shift * 8)...] + column[..<(shift * 8)])
            try run.bundle.restore(changed)
            let layout = try #require(try run.bundle.open())
            #expect(run.bundle.plan.blobs.indices.allSatisfy { layout.journal[$0] != LayoutJournal.verified })
        }
    }

    @Test func `counts that no blob can have are cut down to what is there`() throws {
        let (written, synced) = try run.pair.columns(run.bundle.plan)
        for bytes in [[UInt8](repeating: 0xff, count: 7) + [0x7f], [0, 0, 0, 0, 0, 0, 0, 0x80]] {
            var changed = run.pair
            for start in [written, synced] {
                for index in run.bundle.plan.blobs.indices {
                    changed.journal.replaceSubrange((start + 8 * index)..<(start + 8 * index + 8), with: bytes)
                }
            }
            try run.bundle.restore(changed)
            try run.bundle.finish(run.bundle.resume())
            try run.bundle.expectFinished()
        }
    }
}
