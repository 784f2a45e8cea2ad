import Drayage
import Foundation
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// What a bundle was made of, and the same bundle again.
@Suite struct LockTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    private func options(_ platforms: [String] = [], _ sparse: SparseIndexPolicy = .strip) throws
        -> Synchronizer.Options
    {
        var options = Synchronizer.Options()
        options.platforms = try platforms.map { try #require(PlatformSelector(parsing: $0)) }
        options.sparseIndexes = sparse
        return options
    }

    private func bundle(
        _ references: [Reference],
        to file: String,
        _ options: Synchronizer.Options,
        in workshop: Workshop? = nil
    ) async throws -> Report {
        let workshop = workshop ?? self.workshop
        return try await Synchronizer(connections: workshop.connections)
            .bundle(references, to: workshop.path(file), options: options)
    }

    /// The lock as it is read from a file again.
    private func lock(_ report: Report, _ options: Synchronizer.Options) throws -> BundleLock {
        try BundleLock([UInt8](JSONEncoder().encode(BundleLock(report, options: options))), path: "images.lock")
    }

    private func locked(_ lock: BundleLock) -> Synchronizer.Options {
        var options = Synchronizer.Options()
        lock.apply(to: &options)
        return options
    }

    @Test(arguments: RegistryKind.allCases, [nil, SparseIndexPolicy.strip, .keep])
    func `the same lock gives the same bundle, whatever tags mean by then`(
        kind: RegistryKind,
        sparse: SparseIndexPolicy?
    ) async throws {
        let registry = try await kind.start()
        let signed = try SignedImage(seed: 990)
        var builder = ImageBuilder(seed: 991)
        let plain = try builder.multiPlatform()
        let names = [
            try signed.add(to: registry, "app", hasAPI: kind == .embedded), try registry.add(plain, "plain"),
            "\(registry.address)/plain@\(plain.digest)", "\(registry.address)/other:2@\(plain.digest)",
        ]
        try registry.add(plain, "other")
        let references = try names.map { try Reference(parsing: $0) }
        let options = try options(sparse == nil ? [] : ["linux/amd64"], sparse ?? .strip)
        let report = try await bundle(references, to: "bundle.tar", options)
        #expect(report.failures.map(\.message) == [])
        let lock = try lock(report, options)
        #expect(Set(lock.images.map(\.digest)) == [signed.image.digest, plain.digest])
        #expect(lock.images.allSatisfy { ($0.bundledDigest != nil) == (sparse == .strip) })
        #expect(lock.images.map(\.referrers.count).max() == report.images.compactMap(\.referrers?.count).max())
        #expect(lock.images.allSatisfy { $0.platforms?.contains("linux/amd64") == true && $0.source != nil })

        // Tags move, and more is signed.
        try registry.storage.setTag("1", to: plain.digest, repository: "app")
        try registry.storage.add(plain, repository: "app", tag: "1")
        let late = try builder.artifact(payload: Array("late".utf8), type: "application/x-late", subject: plain)
        try registry.storage.add(late, repository: "plain", tag: "sha256-\(plain.digest.hex).sig")
        let elsewhere = try Workshop()
        let again = try await bundle(try lock.references, to: "bundle.tar", locked(lock), in: elsewhere)
        #expect(again.failures.map(\.message) == [])
        #expect(try elsewhere.scratch.read("bundle.tar") == workshop.scratch.read("bundle.tar"))
        // A lock of that is the same lock.
        let second = BundleLock(again, options: locked(lock))
        #expect(second.images.map(\.digest) == lock.images.map(\.digest))
        #expect(second.images.map(\.referrers.count) == lock.images.map(\.referrers.count))
        // And without it they have moved.
        let moved = try await bundle(references, to: "moved.tar", options)
        #expect(moved.images.map(\.digest) != report.images.map(\.digest))
    }

    @Test func `nobody is asked what a tag means, or what refers to an image`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 992)
        let references = [try Reference(parsing: try source.add(builder.multiPlatform(), "app"))]
        let report = try await bundle(references, to: "bundle.tar", options())
        let before = source.registry.requests.count
        let lock = try lock(report, options())
        #expect(try await bundle(references, to: "again.tar", locked(lock)).outcome == .done)
        let asked = source.registry.requests.dropFirst(before).map(\.path)
        #expect(!asked.isEmpty)
        #expect(asked.allSatisfy { $0.contains("/manifests/sha256:") || $0.contains("/blobs/sha256:") }, "\(asked)")
    }

    @Test func `what is gone is a failure that names it`() async throws {
        let isGone = Flag()
        let source = try Source { _ in isGone.isSet ? Answer(404) : nil }
        var builder = ImageBuilder(seed: 993)
        let image = try builder.image()
        let references = [try Reference(parsing: try source.add(image, "app"))]
        let lock = try lock(try await bundle(references, to: "bundle.tar", options()), options())
        isGone.set(true)
        let report = try await bundle(references, to: "again.tar", locked(lock))
        #expect(report.outcome == .failed)
        #expect(report.failures.first?.message.contains("\(image.digest)") == true)
    }

    @Test func `another digest than the locked one is not bundled`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 995)
        let references = [try Reference(parsing: try source.add(builder.multiPlatform(), "app"))]
        let options = try options(["linux/amd64"])
        let report = try await bundle(references, to: "bundle.tar", options)
        let digest = try #require(report.images.first?.digest)
        let text = String(decoding: try JSONEncoder().encode(BundleLock(report, options: options)), as: UTF8.self)
        let changed = text.replacing(digest.hex, with: String(repeating: "b", count: 64))
        let again = try await bundle(
            references,
            to: "again.tar",
            locked(try BundleLock(Array(changed.utf8), path: "l"))
        )
        #expect(again.exitStatus == .unverified)
        #expect(
            again.failures.first?.message.contains("would be bundled with the digest \(digest), and is locked with")
                == true
        )
    }

    @Test func `a list that is not the lock's is refused`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 994)
        let image = try builder.image()
        let names = [try source.add(image, "app"), try source.add(image, "other")]
        let references = try names.map { try Reference(parsing: $0) }
        let lock = try lock(try await bundle([references[0]], to: "bundle.tar", options()), options())
        try lock.requireSame(ImageList([references[0]]))
        let error = #expect(throws: DrayageError.self) { try lock.requireSame(ImageList(references)) }
        #expect(
            error?.description
                == "the list and the lock differ: \(names[1]) is not locked; without --locked it is locked anew"
        )
        let both = #expect(throws: DrayageError.self) { try lock.requireSame(ImageList([references[1]])) }
        #expect(both?.description.contains("is not locked and 1 more") == true)
    }

    @Test(arguments: [
        ("", "images.lock is no lock of drayage"),
        ("{}", "images.lock is no lock of drayage"),
        (
            #"{"schema":"dev.drayage.lock.v9","foreign":"skip","images":[]}"#,
            "images.lock is of the form dev.drayage.lock.v9, not of dev.drayage.lock.v1"
        ),
        (#"{"schema":"dev.drayage.lock.v1","foreign":"skip","images":[]}"#, "images.lock locks no image"),
        (
            #"{"schema":"dev.drayage.lock.v1","foreign":"skip","platforms":["x"],"images":[\#(entry("a:1"))]}"#,
            "images.lock names x, which is no platform"
        ),
        (
            #"{"schema":"dev.drayage.lock.v1","foreign":"skip","images":[\#(entry("a:1")),\#(entry("a:1"))]}"#,
            "the lock has docker.io/library/a:1 twice"
        ),
        (
            #"{"schema":"dev.drayage.lock.v1","foreign":"skip","images":[\#(entry("a@sha256:\(String(repeating: "c", count: 64))"))]}"#,
            "images.lock has docker.io/library/a@sha256:\(String(repeating: "c", count: 64)) with another digest, sha256:\(String(repeating: "a", count: 64))"
        ),
    ])
    func `what is no lock is refused`(text: String, message: String) {
        let error = #expect(throws: DrayageError.self) { try BundleLock(Array(text.utf8), path: "images.lock") }
        #expect(error?.description == message)
        #expect(error?.code == .usage)
    }

    private static func entry(_ reference: String) -> String {
        #"{"reference":"\#(reference)","digest":"sha256:\#(String(repeating: "a", count: 64))","referrers":[]}"#
    }
}
