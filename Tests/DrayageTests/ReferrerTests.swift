import Drayage
import ImageLayout
import OCI
import RegistryTestSupport
import TestSupport
import Testing

/// What refers to images comes along: from registries with a Referrers API and without, into such and such.
@Suite(.timeLimit(.minutes(10))) struct ReferrerTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test(arguments: RegistryKind.allCases, RegistryKind.allCases)
    func `signatures of an image, of its platforms and of each other go all the way`(
        from: RegistryKind,
        to: RegistryKind
    ) async throws {
        let (source, target) = (try await from.start(), try await to.start())
        let signed = try SignedImage()
        let name = try signed.add(to: source, "team/app", hasAPI: from == .embedded)
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(report.images.map(\.referrerCount) == [6])
        let plan = try await Synchronizer(connections: workshop.connections).plan([Reference(parsing: name)])
        #expect(plan.images.map(\.referrerCount) == [6])
        let listed = try await Lister().list(bundle: workshop.path())
        #expect(listed.images.map(\.reference) == [name])
        #expect(listed.images.map(\.referrerCount) == [6])
        #expect(try await workshop.verify().failures.isEmpty)
        let pushed = try await workshop.push(to: target.address)
        #expect(pushed.outcome == .done, "\(pushed.failures.map(\.message))")
        #expect(pushed.unnamedCount == nil)
        let storage = target.storage
        for referrer in signed.all {
            #expect(try storage.bytes(referrer.digest) == referrer.document.bytes)
            for blob in referrer.blobs { #expect(storage.hasBlob(blob.digest, repository: "team/app")) }
        }
        for (tag, image) in signed.cosign {
            #expect(try storage.digest(ofTag: tag, repository: "team/app") == image.digest)
        }
        let pairs = [
            (signed.image, signed.sbom), (signed.image.children[0], signed.provenance), (signed.sbom, signed.signature),
        ]
        for (subject, referrer) in pairs {
            let found = try await target.referrers(of: subject.digest, in: "team/app", hasAPI: to == .embedded)
            #expect(found == ["\(referrer.digest)"])
        }
        #expect(try await workshop.verify(at: target.address).failures.isEmpty)
        // From there it is the same again, whichever way it is found.
        let back = try await workshop.bundle(["\(target.address)/team/app:1"], to: "back.tar")
        #expect(back.images.map(\.referrerCount) == [6])
        // What is there is not put again.
        let again = try await workshop.push(to: target.address)
        #expect(again.outcome == .done)
        #expect(again.images.map(\.status) == [.upToDate])
        let puts = try await target.finish().filter { $0.line.hasPrefix("PUT") && $0.path.contains("/manifests/") }
        // Three documents of the image, which itself is there before it has its name; what refers to it, and the lists.
        let listCount = to == .docker ? 3 : 0
        #expect(puts.count == 10 + listCount)
    }

    @Test func `what is damaged of them is fetched again`() async throws {
        let source = try await EmbeddedRegistry()
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        _ = try await workshop.bundle([name])
        let whole = try workshop.scratch.read("bundle.tar")
        var damaged = whole
        let layer = try #require(signed.cosign[signed.cosignTag]).blobs[1].digest
        for digest in [signed.signature.digest, layer] {
            let entry = try #require(TarBytes.entries(of: whole).first { $0.path.hasSuffix(digest.hex) })
            damaged[entry.range.lowerBound] ^= 1
        }
        try workshop.scratch.write(damaged, to: "bundle.tar")
        #expect(try await workshop.verify().outcome == .failed)
        let report = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path())
        #expect(report.failures.map(\.message) == [])
        #expect(try workshop.scratch.read("bundle.tar") == whole)
    }

    @Test func `they stay behind where that is asked for`() async throws {
        let source = try await EmbeddedRegistry()
        let name = try SignedImage().add(to: source, "app", hasAPI: true)
        let report = try await workshop.bundle([name], referrers: false)
        #expect(report.images.map(\.referrerCount) == [nil])
        #expect(try LayoutReader(path: workshop.path()).unnamed.isEmpty)
        #expect(
            try await source.finish().allSatisfy { !$0.path.contains("/referrers/") && !$0.path.contains("/tags/") }
        )
    }

    @Test func `an image without any has the same bundle either way`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 901)
        let name = try source.add(builder.multiPlatform(), "app")
        let report = try await workshop.bundle([name])
        #expect(report.images.map(\.referrerCount) == [0])
        _ = try await workshop.bundle([name], to: "without.tar", referrers: false)
        #expect(workshop.scratch.sameContent("bundle.tar", "without.tar"))
    }

    @Test func `they are listed after the images, with what they refer to and where they were`() async throws {
        let source = try await EmbeddedRegistry()
        let signed = try SignedImage()
        var builder = ImageBuilder(seed: 906)
        let names = [try signed.add(to: source, "app", hasAPI: true), try source.add(builder.image(), "other")]
        _ = try await workshop.bundle(names)
        let bytes = try workshop.scratch.read("bundle.tar")
        let range = try #require(TarBytes.entries(of: bytes).first { $0.path == "index.json" }?.range)
        let text = String(decoding: bytes[range], as: UTF8.self)
        let annotations = text.matches(of: /"annotations":\{([^}]*)\}/).map { String($0.1) }
        #expect(annotations.count == 2 + 6)
        #expect(annotations.prefix(2).allSatisfy { $0.contains("io.containerd.image.name") })
        let repository = #""dev.drayage.repository":"\#(source.address)/app""#
        for annotation in annotations.dropFirst(2) {
            #expect(annotation.contains(repository) && annotation.contains("io.containerd.manifest.subject"))
            #expect(!annotation.contains("image.name") && !annotation.contains("ref.name"))
        }
        #expect(annotations.count { $0.contains(#""dev.drayage.tag":"sha256-"#) } == 3)
    }

    /// Leaves a bundle that was interrupted within a layer.
    ///
    /// - Returns: the image, and its registry, which is whole again.
    private func interrupt(
        _ signed: SignedImage,
        at registry: EmbeddedRegistry,
        referrers: Bool
    ) async throws -> (name: String, source: FaultProxy) {
        let (isStalling, large) = (Flag(), signed.image.blobs[0].digest)
        let source = try FaultProxy(to: registry.address) { request, _ in
            isStalling.isSet && request.path.hasSuffix("\(large)") ? .transfer(.stalled(after: 0)) : nil
        }
        let name = try signed.add(to: registry, "app", hasAPI: true).replacing(registry.address, with: source.address)
        isStalling.set(true)
        let task = Task { [workshop] in try await workshop.bundle([name], referrers: referrers) }
        try await until { source.exchanges.contains { $0.request.path.hasSuffix("\(large)") } }
        try await until { workshop.scratch.contains("bundle.tar.partial.journal") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        isStalling.set(false)
        return (name, source)
    }

    @Test func `a bundle that was begun without them gets them`() async throws {
        let (signed, registry) = (try SignedImage(), try await EmbeddedRegistry())
        let (name, source) = try await interrupt(signed, at: registry, referrers: false)
        defer { source.stop() }
        let report = try await workshop.bundle([name])
        #expect(report.images.map(\.referrerCount) == [6], "\(report.failures.map(\.message))")
        _ = try await workshop.bundle([name], to: "whole.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "whole.tar"))
    }

    @Test func `a bundle that goes on has the signatures that it was planned with`() async throws {
        let (signed, registry) = (try SignedImage(), try await EmbeddedRegistry())
        let (name, source) = try await interrupt(signed, at: registry, referrers: true)
        defer { source.stop() }
        _ = try await workshop.bundle([name], to: "whole.tar")
        let late = try ImageBuilder(seed: 904).artifact(type: "application/x-late", subject: signed.image)
        try registry.storage.add(late, repository: "app")
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(workshop.scratch.sameContent("bundle.tar", "whole.tar"))
    }
}
