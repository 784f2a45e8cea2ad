import Foundation
import OCI
import TestSupport
import Testing

/// A prune of a storage directory is killed at any moment, again and again: what is kept stays whole, and whatever else
/// can still be seen is whole as well.
///
/// `DRAYAGE_PRUNE_KILLS` is how often, `DRAYAGE_TORTURE_SEED` makes the moments the same again.
@Suite struct PruneTortureTests {
    private let terminal: Terminal
    private let scratch: ScratchDirectory
    private let pristine: RegistryStorage
    /// What stays, by `repository:tag`.
    private var kept: [String: TestImage] = [:]
    private let seed = environmentNumber("DRAYAGE_TORTURE_SEED") ?? UInt64.random(in: 0...999_999_999)

    init() throws {
        terminal = try Terminal()
        scratch = try ScratchDirectory(inMemory: true)
        pristine = RegistryStorage(root: scratch.path("pristine"))
        var builder = ImageBuilder(seed: 44)
        let base = try builder.layer()
        for number in 0..<24 {
            for tag in 0..<4 {
                let image =
                    tag == 3
                    ? try builder.multiPlatform(sharing: [base])
                    : try builder.image(layers: [base, builder.layer(byteCount: 200)])
                let repository = number < 8 ? "team/gone-\(number)" : "team/app-\(number)"
                try pristine.add(image, repository: repository, tag: "\(tag)")
                // Of those that go, too, somebody has a signature.
                let signature = try builder.artifact(payload: Array("\(number):\(tag)".utf8), subject: image)
                try pristine.add(signature, repository: repository)
                if number >= 8, tag > 1 { kept["\(repository):\(tag)"] = image }
            }
        }
        try terminal.scratch.write(kept.keys.sorted().joined(separator: "\n"), to: "required.txt")
    }

    @Test func `a prune that is killed leaves every kept image whole, and another ends the job`() async throws {
        let kills = environmentNumber("DRAYAGE_PRUNE_KILLS") ?? 8
        var random = SplitMix64(seed: seed)
        let whole = try await finish(try copy())
        let before = try files(of: pristine.root)
        let going = Array(before.subtracting(try files(of: scratch.path("work")))).sorted()
        var caught = 0
        for round in 1...max(1, kills) {
            let storage = try copy()
            let victim = try #require(going.randomElement(using: &random))
            if try kill(storage, whenGone: victim, after: UInt32.random(in: 0...3000, using: &random)) { caught += 1 }
            let problems = try check(storage)
            try #require(problems.isEmpty, "seed \(seed), round \(round), at \(victim): \(problems.prefix(10))")
            #expect(try await finish(storage) == whole, "seed \(seed), round \(round)")
        }
        // Else nothing was tried.
        #expect(caught > 0)
        print("torture: seed \(seed), \(kills) prunes, \(caught) of them killed under way, every kept image whole")
    }

    private func arguments(_ storage: RegistryStorage) -> [String] {
        ["prune", storage.root, "-f", "required.txt", "--yes", "--grace", "0s", "-q"]
    }

    /// The pristine directory once more, in links: a prune changes no file.
    private func copy() throws -> RegistryStorage {
        let target = scratch.path("work")
        try? FileManager.default.removeItem(atPath: target)
        try Command("cp", ["-al", pristine.root, target]).check()
        return RegistryStorage(root: target)
    }

    /// Starts a prune and kills it a little after a file has gone.
    ///
    /// - Returns: whether it was under way.
    private func kill(_ storage: RegistryStorage, whenGone file: String, after microseconds: UInt32) throws -> Bool {
        let path = "\(storage.root)/\(file)"
        return try terminal.kill(arguments(storage), after: microseconds) { access(path, F_OK) != 0 }
    }

    /// What is wrong: a kept image that is not whole, or anything else that can be seen and is not.
    private func check(_ storage: RegistryStorage) throws -> [String] {
        let tree = try ServeTree(root: storage.root)
        var problems = tree.problems.filter { !$0.hasPrefix("left over: ") }
        for (name, image) in kept {
            let repository = String(name.prefix { $0 != ":" })
            if tree.tags[name] != image.digest {
                problems.append("\(name) points at \(String(describing: tree.tags[name]))")
            }
            for document in image.documents where tree.manifests[repository]?.contains(document.digest) != true {
                problems.append("\(name) lacks the manifest \(document.digest)")
            }
            for digest in image.documents.map(\.digest) + image.blobs.map(\.digest)
            where !tree.contents.contains(digest) {
                problems.append("\(name) lacks the bytes of \(digest)")
            }
            for blob in image.blobs where tree.blobs[repository]?.contains(blob.digest) != true {
                problems.append("\(name) lacks the blob \(blob.digest)")
            }
        }
        return problems
    }

    /// Prunes to the end, and gives every file that is there then.
    private func finish(_ storage: RegistryStorage) async throws -> Set<String> {
        let outcome = try await terminal.command(arguments(storage)).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(try check(storage) == [])
        #expect(try ServeTree(root: storage.root).problems == [])
        return try files(of: storage.root)
    }

    private func files(of root: String) throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: root))
    }
}
