import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// A file of another plan that takes the place of what an interrupted run left.
@Suite struct SuccessionTests {
    let scratch: ScratchDirectory
    /// What the interrupted run was to make, and what is to be made now.
    let old: InterruptedBundle
    let new: InterruptedBundle
    /// What the interrupted run left.
    let oldPair: SavedPair
    /// What takes its place.
    let newPair: SavedPair
    /// The same before anything was taken over.
    let begunPair: SavedPair
    /// How many bytes the new bundle does not get from the old one.
    let missing: Int64

    private static let pairNames = ["bundle.tar.partial", "bundle.tar.partial.journal"]

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        let images = try InterruptedBundle.images()
        var moved = ImageBuilder(seed: 50)
        let image = try moved.image(layers: images.images[0].image.layers + [moved.opaqueLayer(byteCount: 90_000)])
        old = try InterruptedBundle(images, in: scratch.path)
        new = try InterruptedBundle(NamedImages([("r.example/app:1", image)] + images.images[1...]), in: scratch.path)
        try Self.fill(old)
        oldPair = try old.saved()
        let other = try ScratchDirectory(inMemory: true)
        let elsewhere = try InterruptedBundle(new.images, in: other.path)
        try oldPair.write(to: elsewhere.partialPath)
        var (begun, taken) = (nil as SavedPair?, nil as SavedPair?)
        var missing: Int64 = 0
        do {
            let writer = try Self.refresh(elsewhere) { _ in
                if begun == nil { begun = try SavedPair(elsewhere.partialPath + ".refresh") }
            }
            taken = try elsewhere.saved()
            for blob in writer.plan.blobs { missing += blob.descriptor.size - writer.slot(for: blob).prefixCount }
        }
        (begunPair, newPair, self.missing) = (try #require(begun), try #require(taken), missing)
    }

    /// A run with a few blobs whole, and one in part, that is killed.
    private static func fill(_ bundle: InterruptedBundle) throws {
        try bundle.kill { writer in
            for (index, blob) in bundle.plan.blobs.enumerated() where index != 1 {
                let bytes = try bundle.bytes(of: blob)
                try writer.slot(for: blob).write(Array(bytes.prefix(100_000)), at: 0)
                if bytes.count <= 100_000 {
                    try writer.slot(for: blob).noteVerified()
                } else {
                    try writer.slot(for: blob).note(prefix: 100_000)
                }
            }
            try writer.checkpoint()
        }
    }

    private static func refresh(
        _ bundle: InterruptedBundle,
        advanced: (Int64) throws -> Void = { _ in }
    ) throws -> LayoutWriter {
        try LayoutWriter(
            plan: bundle.plan,
            requests: InterruptedBundle.requests,
            insteadOf: #require(try bundle.open()),
            replaceExisting: false,
            advanced: advanced
        )
    }

    /// Expects that one of the two is there, whole, and nothing else; and that it is gone on with.
    private func expect(_ bundle: InterruptedBundle, _ comment: Comment, missing: Int64? = nil) throws {
        let writer = try bundle.resume()
        #expect(try scratch.names() == Self.pairNames, comment)
        let fetched = try bundle.finish(writer)
        if let missing { #expect(fetched == missing, comment) }
        try bundle.expectFinished(comment)
    }

    @Test func `what both plans have is taken over`() throws {
        let blobs = Set(new.plan.blobs.map(\.descriptor))
        let total = new.plan.blobs.reduce(0) { $0 + $1.descriptor.size }
        let kept = old.plan.blobs.indices.reduce(into: Int64(0)) { kept, index in
            let blob = old.plan.blobs[index].descriptor
            if index != 1, blobs.contains(blob) { kept += min(blob.size, 100_000) }
        }
        #expect(missing == total - kept && kept > 200_000)
        let writer = try Self.refresh(new)
        #expect(try new.saved() == newPair)
        try #expect(new.finish(writer) == missing)
        try new.expectFinished()
    }

    @Test func `a run that is killed while it takes over leaves the old file as it was`() throws {
        let refresh = old.partialPath + ".refresh"
        let total = old.plan.blobs.reduce(0) { $0 + $1.descriptor.size }
        let kept = try #require(try old.open()).byteCount
        let states: [(String, (_ path: String) throws -> Void)] = [
            ("before", { _ in }),
            ("the new file is there", { try Data().write(to: URL(fileURLWithPath: $0)) }),
            (
                "its journal is",
                {
                    var pair = begunPair
                    pair.partial = []
                    try pair.write(to: $0)
                }
            ), ("it is laid out", { try begunPair.write(to: $0) }),
            ("it has everything", { try newPair.write(to: $0) }),
            (
                "it is removed again",
                {
                    try newPair.write(to: $0)
                    truncate($0, 0)
                }
            ),
            (
                "its journal is removed",
                {
                    try newPair.write(to: $0)
                    truncate($0, 0)
                    unlink($0 + ".journal")
                }
            ),
        ]
        for (comment, make) in states {
            try old.restore(oldPair)
            try make(refresh)
            try expect(old, "\(comment)", missing: total - kept)
        }
    }

    @Test func `a run that is killed between the two renames leaves the new file`() throws {
        var mixed = oldPair
        mixed.partial = newPair.partial
        try new.restore(mixed)
        try newPair.write(to: scratch.path("new"))
        #expect(rename(scratch.path("new.journal"), new.partialPath + ".refresh.journal") == 0)
        unlink(scratch.path("new"))
        try expect(new, "between the renames", missing: missing)
        try new.restore(newPair)
        try expect(new, "after them", missing: missing)
    }

    @Test func `after another boot it is the same`() throws {
        var (mixed, rebooted, old) = (oldPair, newPair, oldPair)
        try rebooted.reboot()
        try old.reboot()
        (mixed.partial, mixed.journal) = (newPair.partial, old.journal)
        try new.restore(mixed)
        try Data(rebooted.journal).write(to: URL(fileURLWithPath: new.partialPath + ".refresh.journal"))
        try expect(new, "between the renames", missing: missing)
        try self.old.restore(old)
        try rebooted.write(to: new.partialPath + ".refresh")
        try expect(self.old, "before them")
    }

    @Test func `a journal whose file somebody removed does not take the place of the right one`() throws {
        for var journal in [begunPair, newPair] {
            for isRebooted in [false, true] {
                if isRebooted { try journal.reboot() }
                try old.restore(oldPair)
                try Data(journal.journal).write(to: URL(fileURLWithPath: old.partialPath + ".refresh.journal"))
                try expect(old, "\(isRebooted)")
            }
        }
        try old.restore(oldPair)
        try scratch.write("drayage.journal.v2 garbage", to: "bundle.tar.partial.refresh.journal")
        try expect(old, "garbage")
    }

    @Test func `what a refresh left is removed when the old file is not there any more`() throws {
        for isEmpty in [true, false] {
            unlink(old.journalPath)
            unlink(old.partialPath)
            if isEmpty { try scratch.write("", to: "bundle.tar.partial") }
            try newPair.write(to: old.partialPath + ".refresh")
            #expect(try old.open() == nil)
            try expect(old, "\(isEmpty)")
            try newPair.write(to: old.partialPath + ".refresh")
            unlink(old.partialPath + ".refresh")
            try expect(old, "only a journal")
        }
    }

    @Test(arguments: ["file", "link", "directory"])
    func `somebody else's file is left alone, and stands in the way only of a refresh`(what: String) throws {
        let path = old.partialPath + ".refresh"
        try scratch.write("precious", to: "precious")
        switch what {
        case "file": try scratch.write("precious", to: "bundle.tar.partial.refresh")
        case "link": #expect(symlink(scratch.path("precious"), path) == 0)
        default: #expect(mkdir(path, 0o755) == 0)
        }
        let error = try #require(throws: LayoutError.self) { try Self.refresh(new) }
        #expect(error.path == path)
        let names = ["bundle.tar.partial.refresh", "precious"]
        #expect(try scratch.names() == Self.pairNames + names)
        #expect(try SavedPair(old.partialPath) == oldPair)
        try old.finish(old.resume())
        #expect(try scratch.names() == ["bundle.tar"] + names)
        #expect(try scratch.read("precious") == Array("precious".utf8))
        if what == "file" { #expect(try scratch.read(names[0]) == Array("precious".utf8)) }
    }

    @Test func `a refresh that fails leaves the old file as it was`() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) { try Self.refresh(new) { _ in throw Stop() } }
        #expect(try scratch.names() == Self.pairNames)
        #expect(try old.saved() == oldPair)
        // Another program removes the old file meanwhile.
        let error = try #require(throws: LayoutError.self) {
            try Self.refresh(new) { [old] _ in
                unlink(old.partialPath)
                return
            }
        }
        #expect(error.code == .partialReplaced)
        #expect(try scratch.names() == ["bundle.tar.partial.journal"])
    }

    @Test func `a refresh with the same plan and another list keeps everything`() throws {
        let requests = [LayoutRequest(reference: "r.example/new:1", digest: nil)]
        let kept = try #require(try old.open()).byteCount
        do {
            let layout = try #require(try old.open())
            _ = try LayoutWriter(plan: old.plan, requests: requests, insteadOf: layout, replaceExisting: false)
        }
        let layout = try #require(try old.open())
        #expect(layout.requests == requests)
        #expect(layout.byteCount == kept)
        try old.finish(LayoutWriter(continuing: layout, replaceExisting: false))
        try old.expectFinished()
    }
}
