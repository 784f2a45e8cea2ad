import Drayage
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// Some platforms of an image, and nothing of the others.
@Suite struct PlatformSubsetTests {
    private let workshop: Workshop
    private let source: Source

    init() throws { (workshop, source) = (try Workshop(), try Source()) }

    @Test(arguments: RegistryKind.allCases, ImageBuilder.Family.allCases)
    func `a complete smaller index is bundled and arrives`(kind: RegistryKind, family: ImageBuilder.Family) async throws
    {
        let (origin, target) = (try await kind.start(), try await kind.start())
        let image = try ThreePlatforms.image(seed: 950, family: family)
        let left = ThreePlatforms.left(of: image)
        try origin.storage.add(image, repository: "app", tag: "1")
        let name = "\(origin.address)/app:1"
        let report = try await workshop.bundle([name], platforms: ThreePlatforms.both)
        #expect(report.failures.map(\.message) == [])
        let entry = try #require(report.images.first)
        #expect(entry.originalDigest == image.digest)
        #expect(entry.digest != image.digest)
        #expect(entry.mediaType == image.top.mediaType)
        #expect(entry.platforms == ThreePlatforms.both)

        let reader = try LayoutReader(path: workshop.path())
        let digest = try #require(entry.digest)
        #expect(reader.documents[digest]?.children.map(\.digest) == left.map(\.digest))
        // The original is a record; nothing else of what was left out is there.
        #expect(reader.documents[image.digest]?.bytes == image.document.bytes)
        let kept = Set(left.flatMap { $0.documents.map(\.digest) + $0.blobs.map(\.digest) })
        for gone in Set(try image.allBytes.keys).subtracting(kept).subtracting([image.digest]) {
            #expect(reader.range(of: gone) == nil)
        }
        #expect(try await workshop.verify(deep: true).failures.map(\.message) == [])
        let listed = try await Lister().list(bundle: workshop.path())
        #expect(listed.images.map(\.originalDigest) == [image.digest])
        #expect(listed.images.map(\.platforms) == [ThreePlatforms.both])

        let pushed = try await workshop.push(to: target.address)
        #expect(pushed.failures.map(\.message) == [])
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == digest)
        for child in left { try expect(target.storage, has: child, "app") }
        #expect(!target.storage.hasBlob(image.digest))
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
        #expect(try await workshop.push(to: target.address).images.map(\.status) == [.upToDate])
    }

    @Test func `the same platforms give the same bytes, in whatever order they are asked for`() async throws {
        let name = try source.add(ThreePlatforms.image(seed: 951), "app")
        _ = try await workshop.bundle([name], to: "one.tar", platforms: ThreePlatforms.both)
        _ = try await workshop.bundle(
            [name],
            to: "two.tar",
            platforms: ThreePlatforms.both.reversed() + ThreePlatforms.both
        )
        #expect(try workshop.scratch.read("one.tar") == workshop.scratch.read("two.tar"))
    }

    @Test func `where nothing is left out the bundle is the one without platforms`() async throws {
        let image = try ThreePlatforms.image(seed: 952)
        let name = try source.add(image, "app")
        _ = try await workshop.bundle([name], to: "all.tar")
        for policy in SparseIndexPolicy.allCases {
            let report = try await workshop.bundle(
                [name],
                to: "\(policy).tar",
                platforms: ThreePlatforms.both + ["linux/s390x"],
                sparse: policy
            )
            #expect(report.images.map(\.digest) == [image.digest])
            #expect(report.images.map(\.originalDigest) == [nil])
            #expect(try workshop.scratch.read("\(policy).tar") == workshop.scratch.read("all.tar"))
        }
    }

    @Test func `a platform that is not there is an error that lists what is`() async throws {
        let (name, other) = (
            try source.add(ThreePlatforms.image(seed: 953), "app"), try source.add(ThreePlatforms.image(seed: 954), "b")
        )
        var builder = ImageBuilder(seed: 955)
        let third = try source.add(
            builder.multiPlatform([ImageBuilder.linuxAMD64, .init(os: "linux", architecture: "riscv64")]),
            "c"
        )
        let failed = try await workshop.bundle([name], platforms: ["linux/amd64", "linux/riscv64", "linux/arm/v7"])
        #expect(failed.outcome == .failed)
        #expect(
            failed.failures.map(\.message) == [
                "\(name) has no linux/arm/v7 and no linux/riscv64; it has linux/s390x, linux/amd64, linux/arm64/v8"
            ]
        )
        let partial = try await workshop.bundle([name, other, third], keepGoing: true, platforms: ["linux/riscv64"])
        #expect(partial.images.map(\.reference) == [third])
        #expect(partial.failures.count == 2)
    }

    @Test func `an image without an index says itself what it runs on, and is asked for it once`() async throws {
        var builder = ImageBuilder(seed: 956)
        let image = try builder.image(platform: ImageBuilder.linuxARM64)
        let name = try source.add(image, "app")
        let report = try await workshop.bundle([name], referrers: false, platforms: ["linux/arm64"])
        #expect(report.images.map(\.digest) == [image.digest])
        // The config was read while planning, and is not fetched again.
        #expect(source.registry.requests.map(\.path).filter { $0.contains("/blobs/") }.count == image.blobs.count)
        #expect(report.totals?.fetchedByteCount == image.blobs.reduce(0) { $0 + $1.descriptor.size })
        #expect(try await workshop.verify().outcome == .done)
        let failed = try await workshop.bundle([name], to: "other.tar", platforms: ["linux/amd64"])
        #expect(failed.failures.map(\.message) == ["\(name) has no linux/amd64; it has linux/arm64/v8"])
    }

    @Test func `what runs on nothing is taken whatever is asked for`() async throws {
        let builder = ImageBuilder(seed: 957)
        let chart = try builder.artifact()
        let index = try builder.index(of: [chart])
        let names = [try source.add(chart, "chart"), try source.add(index, "charts")]
        let report = try await workshop.bundle(names, platforms: ["linux/amd64"])
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.digest) == [chart.digest, index.digest])
        #expect(report.images.map(\.originalDigest) == [nil, nil])
    }

    @Test func `a manifest of which its index says nothing says it itself`() async throws {
        var builder = ImageBuilder(seed: 958)
        let platforms = [ImageBuilder.linuxAMD64, ImageBuilder.linuxARM64, ThreePlatforms.s390x]
        var children: [TestImage] = []
        for platform in platforms { children.append(try builder.image(platform: platform)) }
        let image = try builder.index(of: children, saysPlatforms: false)
        let report = try await workshop.bundle([try source.add(image, "app")], platforms: ["linux/arm64"])
        #expect(report.failures.map(\.message) == [])
        let reader = try LayoutReader(path: workshop.path())
        let digest = try #require(report.images.first?.digest)
        #expect(reader.documents[digest]?.children.map(\.digest) == [children[1].digest])
        #expect(reader.range(of: children[0].digest) == nil)
    }

    @Test(arguments: SparseIndexPolicy.allCases)
    func `an index within an index is made smaller too, and one of which nothing is left goes`(
        policy: SparseIndexPolicy
    ) async throws {
        var builder = ImageBuilder(seed: 959)
        let inner = try builder.multiPlatform([ImageBuilder.linuxAMD64, ThreePlatforms.s390x])
        let gone = try builder.multiPlatform([ThreePlatforms.s390x])
        let image = try builder.index(of: [gone, inner])
        let name = try source.add(image, "app")
        let report = try await workshop.bundle([name], platforms: ["linux/amd64"], sparse: policy)
        #expect(report.failures.map(\.message) == [])
        let reader = try LayoutReader(path: workshop.path())
        let top = try #require(report.images.first?.digest.flatMap { reader.documents[$0] })
        #expect(reader.range(of: gone.digest) == nil)
        #expect(reader.range(of: inner.children[1].digest) == nil)
        #expect(reader.range(of: inner.children[0].digest) != nil)
        switch policy {
        case .keep: #expect(top.descriptor.digest == image.digest)
        case .strip:
            #expect(top.children.count == 1)
            let smaller = try #require(reader.documents[top.children[0].digest])
            #expect(smaller.children.map(\.digest) == [inner.children[0].digest])
            #expect(reader.documents[inner.digest] == nil)
        }
        #expect(try await workshop.verify(deep: true).failures.map(\.message) == [])
        let target = try await EmbeddedRegistry()
        if policy == .strip { #expect(try await workshop.push(to: target.address).outcome == .done) }
    }

    @Test func `what is asked for by digest is called after the digest that it has now`() async throws {
        let image = try ThreePlatforms.image(seed: 960)
        try source.add(image, "app")
        let name = "\(source.address)/app"
        let report = try await workshop.bundle(
            ["\(name)@\(image.digest)", "\(name):1@\(image.digest)"],
            platforms: ThreePlatforms.both
        )
        let digest = try #require(report.images.first?.digest)
        #expect(report.images.map(\.reference) == ["\(name):1", "\(name)@\(digest)"])
        #expect(report.images.map(\.originalDigest) == [image.digest, image.digest])
        let target = try await EmbeddedRegistry()
        #expect(try await workshop.push(to: target.address).failures.map(\.message) == [])
        #expect(try target.storage.revisions(repository: "app").contains(digest))
    }

    @Test func `an index of which nothing is left fails, and the others do not`() async throws {
        var builder = ImageBuilder(seed: 969)
        let attested = try builder.attestation(of: builder.image())
        let names = [
            try source.add(try builder.index(of: [attested]), "attestations"),
            try source.add(builder.multiPlatform(), "app"),
        ]
        let report = try await workshop.bundle(names, keepGoing: true, platforms: ["linux/amd64"])
        #expect(report.images.map(\.reference) == [names[1]])
        #expect(report.failures.map(\.message) == ["\(names[0]) has nothing for linux/amd64"])
    }

    /// Many tools give an artifact an image's config, in which nothing is said.
    @Test func `an artifact with an image's config runs on nothing`() async throws {
        var builder = ImageBuilder(seed: 940)
        let config = Array(#"{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#.utf8)
        let artifact = try builder.image(configBytes: config)
        let other = try builder.image(configBytes: Array("{}".utf8))
        let index = try builder.index(of: [artifact, other], saysPlatforms: false)
        let names = [try source.add(artifact, "artifact"), try source.add(index, "artifacts")]
        let report = try await workshop.bundle(names, platforms: ["linux/amd64"])
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.digest) == [artifact.digest, index.digest])
    }

    @Test func `a blob that cannot be had takes its image out of a smaller bundle`() async throws {
        let (image, other) = (try ThreePlatforms.image(seed: 941), try ThreePlatforms.image(seed: 942))
        let broken = try #require(other.children[1].layers.first)
        let site = try Source { $0.path.hasSuffix("/blobs/\(broken.digest)") ? Answer(404) : nil }
        let names = [try site.add(image, "app"), try site.add(other, "other")]
        for policy in SparseIndexPolicy.allCases {
            let (file, alone) = ("\(policy).tar", "\(policy)-alone.tar")
            let report = try await workshop.bundle(
                names,
                to: file,
                keepGoing: true,
                platforms: ThreePlatforms.both,
                sparse: policy
            )
            #expect(report.images.map(\.reference) == [names[0]])
            #expect(try await workshop.verify(file, deep: true).failures.map(\.message) == [])
            _ = try await workshop.bundle([names[0]], to: alone, platforms: ThreePlatforms.both, sparse: policy)
            #expect(try workshop.scratch.read(file) == workshop.scratch.read(alone))
        }
    }

    @Test func `what an earlier bundle has is not fetched again, and its platforms may be others`() async throws {
        let image = try ThreePlatforms.image(seed: 943)
        let name = try source.add(image, "app")
        _ = try await workshop.bundle([name], to: "old.tar")
        let before = source.registry.requests.count
        let report = try await workshop.bundle(
            [name],
            referrers: false,
            reuse: ["old.tar"],
            platforms: ThreePlatforms.both
        )
        #expect(report.failures.map(\.message) == [])
        let asked = source.registry.requests.dropFirst(before).map(\.path)
        #expect(asked.allSatisfy { $0.hasSuffix("/manifests/1") }, "\(asked)")
        _ = try await workshop.bundle([name], to: "fresh.tar", referrers: false, platforms: ThreePlatforms.both)
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("fresh.tar"))
    }

    /// Bundles an image, and flips a bit of the smaller index that it gets.
    private func damagedIndex(_ name: String) async throws -> Digest {
        let report = try await workshop.bundle([name], platforms: ThreePlatforms.both)
        let digest = try #require(report.images.first?.digest)
        let range = try #require(try LayoutReader(path: workshop.path()).range(of: digest))
        var bytes = try workshop.scratch.read("bundle.tar")
        bytes[Int(range.lowerBound) + 5] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        return digest
    }

    @Test func `a smaller index that is damaged is made again, and nobody is asked`() async throws {
        let name = try source.add(ThreePlatforms.image(seed: 944), "app")
        let digest = try await damagedIndex(name)
        let before = source.registry.requests.count
        let repaired = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path())
        #expect(repaired.failures.map(\.message) == [])
        #expect(repaired.blobs?.map(\.digest) == [digest])
        #expect(repaired.blobs?.map(\.source) == [workshop.path()])
        #expect(source.registry.requests.count == before)
        _ = try await workshop.bundle([name], to: "again.tar", platforms: ThreePlatforms.both)
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("again.tar"))
    }

    /// Of an index within an index there is no record.
    @Test func `one that cannot be made again is told where it may be had`() async throws {
        let name = try source.add(ImageBuilder().index(of: [ThreePlatforms.image(seed: 936)]), "app")
        let digest = try await damagedIndex(name)
        let repaired = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path())
        #expect(
            repaired.failures.first?.message.hasPrefix("\(digest) is an index that was made for this bundle") == true
        )
        _ = try await workshop.bundle([name], to: "again.tar", platforms: ThreePlatforms.both)
        let donor = Repairer.Source.bundle(workshop.path("again.tar"))
        let good = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path(), from: donor)
        #expect(good.failures.map(\.message) == [])
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("again.tar"))
    }

    @Test(arguments: SparseIndexPolicy.allCases)
    func `a prune keeps what a bundle of some platforms has`(policy: SparseIndexPolicy) async throws {
        let target = try await EmbeddedRegistry()
        let image = try ThreePlatforms.image(seed: 949)
        _ = try await workshop.bundle([try source.add(image, "app")], platforms: ThreePlatforms.both, sparse: policy)
        #expect(try await workshop.push(to: target.address).outcome == .done)
        var builder = ImageBuilder(seed: 939)
        try target.storage.add(builder.image(), repository: "app", tag: "old")
        let requirement = try PruneRequirement(images: RequiredImage.images(ofBundle: workshop.path()))
        let mapping = NameMapping(target: try RegistryTarget(parsing: target.address))
        let report = try await Pruner(connections: workshop.connections)
            .prune(.registry(mapping), keeping: requirement) { _ in true }
        #expect(report.failures.map(\.message) == [])
        #expect(target.storage.tags(repository: "app") == ["1"])
        for child in ThreePlatforms.left(of: image) { try expect(target.storage, has: child, "app") }
        #expect(try await workshop.verify(at: target.address).failures.map(\.message) == [])
    }

    @Test func `a manifest that is missing without having been left out is damage`() async throws {
        let image = try ThreePlatforms.image(seed: 964)
        let name = try source.add(image, "app")
        for policy in SparseIndexPolicy.allCases {
            let file = "\(policy).tar"
            _ = try await workshop.bundle([name], to: file, platforms: ThreePlatforms.both, sparse: policy)
            var bytes = try workshop.scratch.read(file)
            let reader = try LayoutReader(path: workshop.path(file))
            let damaged = policy == .strip ? image.digest : image.children[1].digest
            let range = try #require(reader.range(of: damaged))
            bytes[Int(range.lowerBound) + 5] ^= 1
            try workshop.scratch.write(bytes, to: file)
            let report = try await workshop.verify(file)
            #expect(report.exitStatus == .unverified)
            #expect(report.images.map(\.status) == [.failed])
            // It is had again from where the image is from.
            let repaired = try await Repairer(connections: workshop.connections).repair(bundle: workshop.path(file))
            #expect(repaired.failures.map(\.message) == [])
            #expect(try await workshop.verify(file).outcome == .done)
        }
    }

    // MARK: - With what else there is

    @Test(arguments: [true, false])
    func `what refers to a platform comes with it, and what refers to the whole only where that stays`(
        hasAPI: Bool
    ) async throws {
        let registry = try await (hasAPI ? RegistryKind.embedded : .docker).start()
        let signed = try SignedImage(seed: 965)
        let name = try signed.add(to: registry, "app", hasAPI: hasAPI)
        let kept = try await workshop.bundle([name], to: "keep.tar", platforms: ["linux/amd64"], sparse: .keep)
        #expect(kept.notes == [])
        let referrers = try LayoutReader(path: workshop.path("keep.tar")).referrers
        #expect(!referrers.contains { $0.subject == signed.image.children[1].digest })
        #expect(referrers.contains { $0.subject == signed.image.digest })
        let stripped = try await workshop.bundle([name], to: "strip.tar", platforms: ["linux/amd64"])
        #expect(stripped.images.map(\.referrerCount) == [1])
        #expect(
            try LayoutReader(path: workshop.path("strip.tar")).referrers.map(\.descriptor.digest) == [
                signed.provenance.digest
            ]
        )
        #expect(
            stripped.notes == [
                "\(name): 4 manifests refer to the index that it has with all platforms, not to the one with linux/amd64, "
                    + "and stay behind; --sparse keep takes them along"
            ]
        )
    }

    @Test(arguments: SparseIndexPolicy.allCases)
    func `an interrupted bundle goes on, and is planned again where other platforms are asked for`(
        policy: SparseIndexPolicy
    ) async throws {
        var workshop = workshop
        workshop.connections.parallelism = 1
        let breaks = Flag()
        let image = try ThreePlatforms.image(seed: 966)
        let last = try #require(image.children[2].layers.first)
        let site = try Source { request in
            breaks.isSet && request.path.hasSuffix("/blobs/\(last.digest)") ? Answer(500) : nil
        }
        let name = try site.add(image, "app")
        breaks.set(true)
        #expect(try await workshop.bundle([name], platforms: ThreePlatforms.both, sparse: policy).outcome == .failed)
        breaks.set(false)
        let before = site.registry.requests.count
        let report = try await workshop.bundle([name], platforms: ThreePlatforms.both, sparse: policy)
        #expect(report.outcome == .done)
        let fetched = site.registry.requests.dropFirst(before).map(\.path).filter { $0.contains("/blobs/") }
        #expect(
            !fetched.isEmpty && fetched.count < Set(ThreePlatforms.left(of: image).flatMap(\.blobs).map(\.digest)).count
        )
        _ = try await workshop.bundle([name], to: "fresh.tar", platforms: ThreePlatforms.both, sparse: policy)
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("fresh.tar"))

        breaks.set(true)
        #expect(
            try await workshop.bundle([name], to: "b.tar", platforms: ThreePlatforms.both, sparse: policy).outcome
                == .failed
        )
        breaks.set(false)
        _ = try await workshop.bundle([name], to: "b.tar", platforms: ["linux/arm64"], sparse: policy)
        _ = try await workshop.bundle([name], to: "c.tar", platforms: ["linux/arm64"], sparse: policy)
        #expect(try workshop.scratch.read("b.tar") == workshop.scratch.read("c.tar"))
    }
}
