import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// A run that is killed while it moves blobs within the file: nothing is sure then, and all can be had again.
@Suite struct InterruptedCompactionTests {
    let scratch: ScratchDirectory
    let bundle: InterruptedBundle
    /// What the run has left when it is done with moving.
    let smaller: LayoutPlan

    /// Three images, of which the first is dropped; its config is a layer of the last, so that it changes its group.
    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        var builder = ImageBuilder(seed: 7)
        // Larger than what may still be free in the last page of a file.
        let command = ["/bin/sh", String(repeating: "x", count: 10_000)]
        let layers = try [builder.opaqueLayer(byteCount: 40_001), builder.layer()]
        let dropped = try builder.image(layers: layers, command: command)
        let config = try #require(dropped.config)
        let kept = try builder.image(layers: [builder.opaqueLayer(byteCount: 30_000), config])
        let all = try NamedImages([
            ("r.example/a:1", dropped), ("r.example/b:1", builder.image()), ("r.example/c:1", kept),
        ])
        bundle = try InterruptedBundle(all, in: scratch.path)
        smaller = try NamedImages(all.images.dropFirst().map { ($0.name, $0.image) }).plan
    }

    /// Fills everything that the smaller plan needs, and of the rest a part.
    private func fill(_ writer: LayoutWriter) throws {
        let needed = Set(smaller.blobs.map(\.descriptor.digest))
        for blob in bundle.plan.blobs {
            let (slot, bytes) = (writer.slot(for: blob), try bundle.bytes(of: blob))
            if needed.contains(blob.descriptor.digest) {
                try slot.write(bytes, at: 0)
                try slot.noteVerified()
            } else {
                try slot.write(Array(bytes.dropLast()), at: 0)
                try slot.note(prefix: Int64(bytes.count - 1))
            }
        }
        try writer.checkpoint()
    }

    /// The files before anything is moved, and after.
    private func states() throws -> (before: SavedPair, after: SavedPair) {
        var before: SavedPair?
        try bundle.kill { writer in
            try fill(writer)
            try writer.journal.beginCompaction()
            before = try bundle.saved()
            try writer.compact(to: smaller)
        }
        return (try #require(before), try bundle.saved())
    }

    /// What a run leaves that is killed when it has come to an offset.
    private func pairs() throws -> [SavedPair] {
        let (before, after) = try states()
        var pairs = [before, after]
        for end in stride(from: 0, through: after.partial.count, by: 2503) {
            var pair = before
            pair.partial.replaceSubrange(..<end, with: after.partial[..<end])
            pairs.append(pair)
            // What would be overwritten before its turn lies behind the end.
            pair.partial += [UInt8](repeating: 0xaa, count: 1000)
            pairs.append(pair)
        }
        return pairs
    }

    @Test func `wherever it was interrupted, no blob is taken for verified, and it ends with the same bytes`() throws {
        let pairs = try pairs()
        for (index, pair) in pairs.enumerated() {
            for isRebooted in [false, true] {
                var pair = pair
                if isRebooted { try pair.reboot() }
                try bundle.restore(pair)
                let writer = try bundle.resume()
                #expect(bundle.plan.blobs.allSatisfy { !writer.slot(for: $0).isVerified }, "\(index)")
                try bundle.finish(writer)
                try bundle.expectFinished("\(index)")
            }
        }
    }

    @Test func `what was fetched since is kept by the runs that follow`() throws {
        for var pair in try pairs() {
            for isRebooted in [false, true] {
                try bundle.restore(pair)
                let blob = try #require(bundle.plan.blobs.last)
                do {
                    let writer = try bundle.resume()
                    try writer.slot(for: blob).write(bundle.bytes(of: blob), at: 0)
                    try writer.slot(for: blob).noteVerified()
                    try writer.checkpoint()
                }
                if isRebooted {
                    pair = try bundle.saved()
                    try pair.reboot()
                    try bundle.restore(pair)
                }
                let writer = try bundle.resume()
                #expect(bundle.plan.blobs.filter { writer.slot(for: $0).isVerified } == [blob])
                writer.abandon()
            }
        }
    }

    @Test func `a run that is killed again before it has laid the file out is gone on with`() throws {
        for pair in try pairs() {
            try bundle.restore(pair)
            _ = try bundle.open()
            #expect(try bundle.saved().partial == pair.partial)
            try bundle.finish(bundle.resume())
            try bundle.expectFinished()
        }
    }

    @Test func `it can be compacted again`() throws {
        for pair in try pairs() {
            try bundle.restore(pair)
            let writer = try bundle.resume()
            // Some of it is wrong, and fetched again; the rest fails once more.
            try fill(writer)
            try writer.compact(to: smaller)
            try writer.seal()
            let reader = try LayoutReader(path: bundle.path)
            #expect(reader.problems.isEmpty && reader.byteCount == smaller.byteCount)
            for blob in reader.blobs { try reader.verify(blob) }
            #expect(try bundle.names() == ["bundle.tar"])
            unlink(bundle.path)
        }
    }

    @Test(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
    func `a disk that is full in the middle of it is an error, after which it is gone on with`() throws {
        let mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=1m", "none"])
        let bundle = try InterruptedBundle(bundle.images, in: mount.path)
        do {
            let writer = try bundle.begin()
            try fill(writer)
            try mount.fill(leaving: 0)
            // What would be overwritten goes behind the end, for which there is no space.
            let error = try #require(throws: LayoutError.self) { try writer.compact(to: smaller) }
            #expect(error.code == .system(operation: "writing", errno: ENOSPC))
            #expect(writer.keep())
        }
        unlink(mount.path + "/hog")
        let writer = try bundle.resume()
        #expect(bundle.plan.blobs.allSatisfy { !writer.slot(for: $0).isVerified })
        try bundle.finish(writer)
        try bundle.expectFinished()
    }
}
