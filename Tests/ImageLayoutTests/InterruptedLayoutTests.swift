import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What a run that was killed leaves, and what the next makes of it.
@Suite struct InterruptedLayoutTests {
    let scratch: ScratchDirectory
    let bundle: InterruptedBundle

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        bundle = try InterruptedBundle(InterruptedBundle.images(), in: scratch.path)
    }

    /// One thing that a run does.
    private enum Step {
        case write(Int, Range<Int>)
        case verify(Int)
        case checkpoint

        var isCheckpoint: Bool { if case .checkpoint = self { true } else { false } }
    }

    /// All that a run does, with blobs that grow side by side, and a checkpoint now and then.
    private var steps: [Step] {
        var steps: [Step] = []
        let sizes = bundle.plan.blobs.map { Int($0.descriptor.size) }
        for start in stride(from: 0, through: sizes.max() ?? 0, by: 50_000) {
            for (index, size) in sizes.enumerated() where start < size || (size == 0 && start == 0) {
                steps.append(.write(index, start..<min(start + 50_000, size)))
                if start + 50_000 >= size { steps.append(.verify(index)) }
            }
            steps.append(.checkpoint)
        }
        return steps
    }

    private func run(_ step: Step, _ writer: LayoutWriter) throws {
        switch step {
        case .write(let index, let range):
            let blob = bundle.plan.blobs[index]
            let slot = writer.slot(for: blob)
            try slot.write(Array(bundle.bytes(of: blob)[range]), at: Int64(range.lowerBound))
            try slot.note(prefix: Int64(range.upperBound))
        case .verify(let index): try writer.slot(for: bundle.plan.blobs[index]).noteVerified()
        case .checkpoint: try writer.checkpoint()
        }
    }

    /// How far each blob is after some steps: as noted, and as it was at the last checkpoint.
    private func states(after steps: some Sequence<Step>) -> (noted: [Int64], synced: [Int64]) {
        var (noted, synced) = ([Int64](repeating: 0, count: bundle.plan.blobs.count), [Int64]())
        synced = noted
        for step in steps {
            switch step {
            case .write(let index, let range): noted[index] = Int64(range.upperBound)
            case .verify(let index): noted[index] = LayoutJournal.verified
            case .checkpoint: synced = noted
            }
        }
        return (noted, synced)
    }

    @Test func `a run that was killed at any point is gone on with, and ends with the same bytes`() throws {
        let steps = steps
        for count in 0...steps.count {
            let killed = steps.prefix(count)
            try bundle.kill { writer in for step in killed { try run(step, writer) } }
            let expected = states(after: killed)
            let writer = try bundle.resume()
            var known: Int64 = 0
            for (index, blob) in bundle.plan.blobs.enumerated() {
                let (slot, noted) = (writer.slot(for: blob), expected.noted[index])
                #expect(slot.isVerified == (expected.synced[index] == LayoutJournal.verified), "\(count)")
                let whole = noted == LayoutJournal.verified ? blob.descriptor.size : noted
                #expect(slot.prefixCount <= whole && slot.prefixCount > whole - (64 << 10), "\(count)")
                known += slot.prefixCount
            }
            let total = bundle.plan.blobs.reduce(0) { $0 + $1.descriptor.size }
            #expect(try bundle.finish(writer) == total - known)
            try bundle.expectFinished("after \(count) steps")
        }
    }

    @Test func `after another boot only what was synced is there`() throws {
        let steps = steps
        for count in 0...steps.count {
            let killed = steps.prefix(count)
            try bundle.kill { writer in for step in killed { try run(step, writer) } }
            var saved = try bundle.saved()
            try saved.reboot()
            try bundle.restore(saved)
            let writer = try bundle.resume()
            for (index, count) in states(after: killed).synced.enumerated() {
                let slot = writer.slot(for: bundle.plan.blobs[index])
                #expect(slot.isVerified == (count == LayoutJournal.verified))
                if count != LayoutJournal.verified { #expect(slot.prefixCount == count) }
            }
            try bundle.finish(writer)
            try bundle.expectFinished("after \(count) steps")
        }
    }

    @Test func `runs that are killed one after another lose nothing`() throws {
        for (index, blob) in bundle.plan.blobs.enumerated() {
            let writer = try bundle.resume()
            // Verified, and known to be synced, is what the runs before had, but for the last.
            let expected = bundle.plan.blobs.prefix(index).map { ($0.descriptor.digest, LayoutJournal.verified) }
            #expect(bundle.states(of: writer) == Dictionary(uniqueKeysWithValues: expected))
            try writer.slot(for: blob).write(bundle.bytes(of: blob), at: 0)
            try writer.slot(for: blob).noteVerified()
            try writer.checkpoint()
        }
        #expect(try bundle.finish(bundle.resume()) == 0)
        try bundle.expectFinished()
    }

    @Test func `a run that was killed before it had laid the file out is gone on with`() throws {
        _ = try bundle.begin()
        let saved = try bundle.saved()
        let end = try #require(bundle.plan.blobs.last).offset
        for length in stride(from: 0, through: Int(end), by: 1733) {
            // All zeros from there; the file is as long as it is going to be, or not yet.
            for isExtended in [true, false] where isExtended || length > 0 {
                var partial = Array(saved.partial[..<length])
                if isExtended { partial += [UInt8](repeating: 0, count: saved.partial.count - length) }
                var pair = saved
                pair.partial = partial
                try bundle.restore(pair)
                try bundle.finish(bundle.resume())
                try bundle.expectFinished("\(length)")
            }
        }
    }

    @Test func `what had not been synced when the power was cut is begun again, whatever is there`() throws {
        try bundle.kill { writer in for step in steps where !step.isCheckpoint { try run(step, writer) } }
        var saved = try bundle.saved()
        try saved.reboot()
        saved.partial.replaceSubrange(..<5000, with: repeatElement(0xee, count: 5000))
        try bundle.restore(saved)
        #expect(try bundle.open() == nil)
        #expect(try bundle.names().isEmpty)
    }

    @Test func `an empty file with a journal or without is as good as none`() throws {
        _ = try bundle.begin()
        truncate(bundle.partialPath, 0)
        #expect(try bundle.open() == nil)
        #expect(try bundle.names().isEmpty)
        try scratch.write("", to: "bundle.tar.partial")
        #expect(try bundle.open() == nil)
        #expect(try bundle.names().isEmpty)
        #expect(try bundle.open() == nil)
    }

    @Test func `less than a grain is noted with what follows`() throws {
        let blob = try #require(bundle.plan.blobs.max { $0.descriptor.size < $1.descriptor.size })
        let bytes = try bundle.bytes(of: blob)
        for end in stride(from: 1000, to: bytes.count, by: 17_000) {
            do {
                let slot = try bundle.begin().slot(for: blob)
                for start in stride(from: 0, to: end, by: 1000) {
                    try slot.write(Array(bytes[start..<min(start + 1000, end)]), at: Int64(start))
                    try slot.note(prefix: Int64(min(start + 1000, end)))
                }
                #expect(slot.prefixCount == end)
            }
            let layout = try #require(try bundle.open())
            #expect(Int64(end) - layout.byteCount < 64 << 10)
            #expect(layout.byteCount <= end)
            unlink(bundle.partialPath)
        }
    }

    @Test func `a blob that begins again, or is wrong, is noted at once`() throws {
        let blob = try #require(bundle.plan.blobs.max { $0.descriptor.size < $1.descriptor.size })
        let steps: [(Int64, Int64)] = [(150_000, 150_000), (10, 10), (11, 10), (0, 0), (200_000, 200_000), (0, 0)]
        let writer = try bundle.begin()
        for (count, noted) in steps {
            try writer.slot(for: blob).note(prefix: count)
            let saved = try bundle.saved()
            let offset = try saved.columns(bundle.plan).written
            let index = try #require(bundle.plan.blobs.firstIndex(of: blob))
            let number = saved.journal[(offset + 8 * index)...].prefix(8).reversed().reduce(0) { $0 << 8 | Int64($1) }
            #expect(number == noted)
        }
        writer.abandon()
    }
}
