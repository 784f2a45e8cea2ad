import Drayage
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// An index that stays as it is, and names what was left out.
@Suite struct SparseIndexTests {
    private let workshop: Workshop
    private let source: Source

    init() throws { (workshop, source) = (try Workshop(), try Source()) }

    @Test func `an index that stays as it is keeps its digest, and a registry that takes it gets what is there`()
        async throws
    {
        let image = try ThreePlatforms.image(seed: 961)
        let name = try source.add(image, "app")
        let report = try await workshop.bundle([name], platforms: ThreePlatforms.both, sparse: .keep)
        #expect(report.images.map(\.digest) == [image.digest])
        #expect(report.images.map(\.originalDigest) == [nil])
        #expect(report.images.map(\.platforms) == [ThreePlatforms.both])
        #expect(try await workshop.verify(deep: true).failures.map(\.message) == [])
        #expect(try await Lister().list(bundle: workshop.path()).images.map(\.platforms) == [ThreePlatforms.both])
        let target = try Source(deletion: .byDigest, takesSparseIndexes: true)
        let pushed = try await workshop.push(to: target.address)
        #expect(pushed.failures.map(\.message) == [])
        #expect(target.content.digest(ofTag: "1", repository: "app") == image.digest)
        for child in ThreePlatforms.left(of: image) {
            #expect(target.content.manifest(child.digest, repository: "app") == child.document.bytes)
        }
        #expect(target.content.manifest(image.children[0].digest, repository: "app") == nil)
        // What it was tried with is gone, and nothing had been sent before.
        let changes = target.registry.requests.filter { ["PUT", "POST", "DELETE"].contains($0.method) }
        #expect(changes.prefix(2).map(\.method) == ["PUT", "DELETE"])
        #expect(changes.first?.path.hasPrefix("/v2/app/manifests/sha256:") == true)
        #expect(Set(changes.prefix(2).map(\.path)).count == 1)
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
    }

    @Test func `our registry takes such an index, and keeps nothing of the trial`() async throws {
        let target = try await EmbeddedRegistry()
        let image = try ThreePlatforms.image(seed: 968)
        _ = try await workshop.bundle([try source.add(image, "app")], platforms: ThreePlatforms.both, sparse: .keep)
        let pushed = try await workshop.push(to: target.address)
        #expect(pushed.failures.map(\.message) == [])
        #expect(pushed.notes == [])
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == image.digest)
        let there = Set(ThreePlatforms.left(of: image).map(\.digest) + [image.digest])
        #expect(try target.storage.revisions(repository: "app") == there)
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
    }

    /// docker-distribution does, unless it is told otherwise.
    @Test func `a registry that refuses such an index is told of before anything is sent`() async throws {
        let target = try await RegistryKind.docker.start()
        let image = try ThreePlatforms.image(seed: 962)
        var builder = ImageBuilder(seed: 963)
        let whole = try builder.image()
        let names = [try source.add(image, "app"), try source.add(whole, "whole")]
        _ = try await workshop.bundle(names, platforms: ["linux/amd64"], sparse: .keep)
        let planned = try await workshop.push(to: target.address, dryRun: true)
        #expect(
            planned.notes == [
                "whether \(target.address) takes sparse indexes shows only in a push; see drayage check --write"
            ]
        )
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .partial)
        let message = try #require(report.failures.first?.message)
        #expect(
            message.hasPrefix(
                "\(target.address)/app:1 has linux/amd64 alone under an index that names more, and \(target.address) takes no such index"
            ),
            "\(message)"
        )
        #expect(message.contains("--sparse strip"))
        #expect(target.storage.repositories().contains("whole"))
        #expect(!target.storage.hasBlob(image.children[1].layers[0].digest))
        try expect(target.storage, has: whole, "whole", tag: "1")
    }

    @Test func `what is tried names nothing that anybody has, and goes on where one repository is closed`() async throws
    {
        let (first, second) = (try ThreePlatforms.image(seed: 945), try ThreePlatforms.image(seed: 946))
        let names = [try source.add(first, "a"), try source.add(second, "b")]
        _ = try await workshop.bundle(names, platforms: ThreePlatforms.both, sparse: .keep)
        let target = try Source(deletion: .byDigest, takesSparseIndexes: true) { request in
            request.method == "PUT" && request.path.hasPrefix("/v2/a/") ? .error(403, "DENIED") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .partial)
        #expect(report.failures.map(\.subject) == ["\(target.address)/a:1"])
        #expect(
            report.failures.first?.message.hasPrefix("trying to put a sparse index for \(target.address)/a:1: ") == true
        )
        #expect(target.content.digest(ofTag: "1", repository: "b") == second.digest)
        let trial = try #require(target.registry.requests.first { $0.method == "PUT" })
        let text = String(decoding: trial.body, as: UTF8.self)
        #expect(text.contains(#""architecture":"s390x""#))
        for child in first.children { #expect(!text.contains(child.digest.hex)) }
    }

    @Test func `a registry that has the rest already takes the index`() async throws {
        let target = try await RegistryKind.docker.start()
        let image = try ThreePlatforms.image(seed: 947)
        _ = try await workshop.bundle([try source.add(image, "app")], to: "all.tar")
        #expect(try await workshop.push("all.tar", to: target.address).outcome == .done)
        _ = try await workshop.bundle(
            [try source.add(image, "app", tag: "2")],
            platforms: ThreePlatforms.both,
            sparse: .keep
        )
        #expect(try await workshop.push(to: target.address).failures.map(\.message) == [])
        #expect(try target.storage.digest(ofTag: "2", repository: "app") == image.digest)
    }

    @Test func `a platform that should be there and is not is damage`() async throws {
        let image = try ThreePlatforms.image(seed: 948)
        _ = try await workshop.bundle([try source.add(image, "app")], platforms: ThreePlatforms.both, sparse: .keep)
        let gone = image.children[1].digest
        try workshop.scratch.write("", to: "layout/mark")
        let folder = workshop.path("layout")
        let steps = [
            ("tar", ["-xf", workshop.path(), "-C", folder]), ("rm", ["\(folder)/blobs/sha256/\(gone.hex)"]),
            ("tar", ["-cf", workshop.path(), "-C", folder, "oci-layout", "index.json", "blobs"]),
        ]
        for (tool, arguments) in steps { try await #require(Command(tool, arguments).run().status == 0) }
        let report = try await workshop.verify()
        #expect(report.exitStatus == .unverified)
        #expect(report.failures.map(\.subject) == [gone.description])
        let target = try Source(takesSparseIndexes: true)
        await #expect(throws: DrayageError.self) { try await workshop.push(to: target.address) }
    }
}
