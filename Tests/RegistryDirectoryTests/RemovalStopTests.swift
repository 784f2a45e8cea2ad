import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// Removals that end in the middle: what can be had is whole, and the next finishes the job.
@Suite struct RemovalStopTests {
    let scratch: ScratchDirectory
    let pruned: PrunedRegistry

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        pruned = try PrunedRegistry(scratch.path("start"))
    }

    private func copy(_ name: String) throws -> Registry {
        try Command("cp", ["-a", scratch.path("start"), scratch.path(name)]).check()
        return try Registry(scratch.path(name))
    }

    private func removeAll(in registry: Registry) throws {
        try registry.directory.removeAll(pruned.removal(from: registry.directory.survey()))
    }

    @Test func `after any number of steps, all that is visible is whole, and a second run ends as the first would`()
        throws
    {
        let whole = try copy("whole")
        try removeAll(in: whole)
        let end = try whole.snapshot()
        var sawBlobs = false
        for count in 0... {
            let registry = try copy("\(count)")
            let removal = pruned.removal(from: try registry.directory.survey())
            var asked = 0
            let outcome = try registry.directory.remove(removal) {
                asked += 1
                return asked > count
            }
            #expect(outcome.failures.isEmpty)
            try pruned.expectWhole(registry.oracle, "after \(count) steps")
            sawBlobs = sawBlobs || outcome.wasStopped && outcome.blobCount > 0
            guard outcome.wasStopped else {
                #expect(sawBlobs && count > removal.blobs.count)
                break
            }
            // A removal that knows no more than what is there now.
            try removeAll(in: registry)
            try #require(try registry.snapshot() == end, "after \(count) steps")
            try FileManager.default.removeItem(atPath: registry.root)
        }
    }

    @Test func `the same removal once more does nothing, and counts nothing`() throws {
        let registry = try copy("again")
        let removal = pruned.removal(from: try registry.directory.survey())
        try registry.directory.removeAll(removal)
        let end = try registry.snapshot()
        let outcome = try registry.directory.removeAll(removal)
        #expect(outcome.tagCount + outcome.manifestCount + outcome.layerCount + outcome.blobCount == 0)
        #expect(outcome.uploadCount + outcome.repositoryCount == 0 && outcome.freedByteCount == 0)
        #expect(try registry.snapshot() == end)
    }

    @Test func `what a kill leaves between two system calls is gone after the next`() throws {
        let whole = try copy("whole")
        try removeAll(in: whole)
        let end = try whole.snapshot()
        let registry = try copy("left")
        let (repositories, blobs) = ("left/docker/registry/v2/repositories", "left/docker/registry/v2/blobs/sha256")
        let kept = try #require(pruned.entries.first { $0.isKept })
        for (name, entry) in [("team/lists", pruned.entries[9]), ("team/app/tools", pruned.entries[6])] {
            for digest in entry.image.documents.map(\.digest) {
                // Its link is gone, its directory is not.
                let directory = scratch.path("\(repositories)/\(name)/_manifests/revisions/sha256/\(digest.hex)")
                try FileManager.default.removeItem(atPath: directory + "/link")
            }
        }
        let layer = pruned.entries[6].image.blobs[0].digest
        try FileManager.default.removeItem(
            atPath: scratch.path("\(repositories)/team/app/tools/_layers/sha256/\(layer.hex)/link")
        )
        for name in ["\(blobs)/00", "\(blobs)/ff/ff" + String(repeating: "0", count: 62)] {
            try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
        }
        for name in ["a", "b/c", "team/app/x", "d/_layers", "e/_manifests/revisions/sha256", "f/_uploads"] {
            try FileManager.default.createDirectory(
                atPath: scratch.path("\(repositories)/\(name)"),
                withIntermediateDirectories: true
            )
        }
        try scratch.write("x", to: "\(repositories)/team/app/_uploads/x/current/link")
        try removeAll(in: registry)
        let left = try registry.snapshot()
        #expect(Set(left.keys).symmetricDifference(end.keys) == [])
        #expect(left == end)
        #expect(registry.oracle.hasBlob(kept.image.digest))
    }
}
