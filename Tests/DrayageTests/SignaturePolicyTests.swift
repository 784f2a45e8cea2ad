import Drayage
import ImageLayout
import RegistryTestSupport
import TestSupport
import Testing

/// Who must have signed what enters a bundle.
@Suite struct SignaturePolicyTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    private func policy(_ keys: [(SigningKey, pattern: String?)]) throws -> SignaturePolicy {
        var policy = SignaturePolicy()
        for (number, key) in keys.enumerated() {
            try policy.addKey(pem: key.0.publicPEM, named: "key\(number).pub", for: key.pattern)
        }
        return policy
    }

    /// How a signature is put beside an image.
    enum Placing: CaseIterable {
        /// By its tag alone, as cosign's first two versions do.
        case tag
        /// As a referrer, as the third does.
        case referrer
    }

    private func sign(
        _ image: TestImage,
        _ signatures: [TestSignature],
        in repository: String,
        of registry: any LocalRegistry,
        _ placing: Placing = .tag
    ) throws {
        let builder = ImageBuilder(seed: 980)
        switch placing {
        case .tag:
            let manifest = try builder.signatures(signatures)
            try registry.storage.add(manifest, repository: repository, tag: "sha256-\(image.digest.hex).sig")
        case .referrer:
            let manifest = try builder.signatures(signatures, subject: image)
            try registry.storage.add(manifest, repository: repository)
            let list = try builder.index(of: [manifest])
            try registry.storage.add(list, repository: repository, tag: "sha256-\(image.digest.hex)")
        }
    }

    @Test(arguments: RegistryKind.allCases, SigningKey.Kind.allCases)
    func `an image that is signed enters, in either form and wherever the signature is`(
        kind: RegistryKind,
        keyKind: SigningKey.Kind
    ) async throws {
        let (registry, key) = (try await kind.start(), try SigningKey(keyKind))
        var builder = ImageBuilder(seed: 981)
        var names: [String] = []
        for placing in Placing.allCases {
            for isBundle in [false, true] {
                let image = try builder.multiPlatform()
                let repository = "\(placing)/\(isBundle)"
                names.append(try registry.add(image, repository))
                let signature: TestSignature =
                    try isBundle ? .bundle(of: image.digest, by: key) : .simple(of: image.digest, by: key)
                try sign(image, [signature], in: repository, of: registry, placing)
            }
        }
        let report = try await workshop.bundle(names, policy: policy([(key, nil)]))
        #expect(report.failures.map(\.message) == [])
        #expect(report.images.map(\.referrerCount) == [1, 1, 1, 1])
        // What was read to verify it is in the bundle too, and was fetched once.
        #expect(try await workshop.verify().failures.map(\.message) == [])
        let fetched = try await registry.finish().filter { $0.path.contains("/blobs/") && $0.method == "GET" }
        #expect(Set(fetched.map(\.path)).count == fetched.count)
    }

    @Test func `an image without a valid signature does not enter, and the others do`() async throws {
        let registry = try await EmbeddedRegistry()
        let (key, other) = (try SigningKey(), try SigningKey())
        var builder = ImageBuilder(seed: 982)
        let images = try (0..<4).map { _ in try builder.image() }
        let names = try images.enumerated().map { try registry.add($1, "app\($0)") }
        try sign(images[0], [.simple(of: images[0].digest, by: key)], in: "app0", of: registry)
        // By somebody else, of something else.
        try sign(images[1], [.simple(of: images[1].digest, by: other)], in: "app1", of: registry)
        try sign(images[2], [.simple(of: images[0].digest, by: key)], in: "app2", of: registry)
        let report = try await workshop.bundle(names, keepGoing: true, policy: policy([(key, nil)]))
        #expect(report.images.map(\.reference) == [names[0]])
        func message(_ index: Int, _ found: String) -> String {
            "\(names[index]) with the digest \(images[index].digest) must be signed by key0.pub to enter the bundle; "
                + found
        }
        let none = "none of its signatures is by key0.pub (those without a key do not count)"
        #expect(
            report.failures.map(\.message) == [
                message(1, none), message(2, none), message(3, "there is no signature of it"),
            ]
        )
        #expect(try LayoutReader(path: workshop.path()).images.count == 1)
        let failed = try await workshop.bundle([names[3]], to: "none.tar", policy: policy([(key, nil)]))
        #expect(failed.exitStatus == .unverified)
        #expect(try workshop.scratch.names() == ["bundle.tar"])
    }

    @Test func `one good signature among others, and one key among others, is enough`() async throws {
        let registry = try await EmbeddedRegistry()
        let (key, other, third) = (try SigningKey(), try SigningKey(.ed25519), try SigningKey())
        var builder = ImageBuilder(seed: 983)
        let image = try builder.image()
        let name = try registry.add(image, "app")
        let signatures = try [third, other].map { try TestSignature.simple(of: image.digest, by: $0) }
        try sign(image, signatures, in: "app", of: registry)
        let report = try await workshop.bundle([name], policy: policy([(key, nil), (other, nil)]))
        #expect(report.failures.map(\.message) == [])
    }

    @Test func `a key may be for some repositories, and then no other counts there`() async throws {
        let registry = try await EmbeddedRegistry()
        let (general, particular) = (try SigningKey(), try SigningKey())
        var builder = ImageBuilder(seed: 984)
        let (ours, theirs) = (try builder.image(), try builder.image())
        let names = [try registry.add(ours, "ours/app"), try registry.add(theirs, "theirs/app")]
        try sign(ours, [.simple(of: ours.digest, by: general)], in: "ours/app", of: registry)
        try sign(theirs, [.simple(of: theirs.digest, by: general)], in: "theirs/app", of: registry)
        let pattern = "\(registry.address)/ours/*"
        let both = try await workshop.bundle(
            names,
            keepGoing: true,
            policy: policy([(general, nil), (particular, pattern)])
        )
        #expect(both.images.map(\.reference) == [names[1]])
        #expect(both.notes == [])
        // Where there is no general key, nothing is demanded elsewhere.
        let one = try await workshop.bundle(
            names,
            to: "one.tar",
            keepGoing: true,
            policy: policy([(particular, pattern)])
        )
        #expect(one.images.map(\.reference) == [names[1]])
        #expect(one.notes == ["no key is for 1 image, which nobody need have signed"])
        // One part is not two.
        let mistyped = "\(registry.address)/*"
        let none = try await workshop.bundle(names, to: "two.tar", policy: policy([(particular, mistyped)]))
        #expect(
            none.notes == [
                "no image is in \(mistyped), for which key0.pub is",
                "no key is for 2 images, which nobody need have signed",
            ]
        )
    }

    @Test(arguments: [nil, SparseIndexPolicy.strip, .keep])
    func `a locked image must be signed too, and so must one that is gone on with`(sparse: SparseIndexPolicy?)
        async throws
    {
        let breaks = Flag()
        let (key, other) = (try SigningKey(), try SigningKey())
        var builder = ImageBuilder(seed: 987)
        let image = try builder.multiPlatform()
        let last = try #require(image.children[0].layers.last)
        let source = try Source { request in
            breaks.isSet && request.path.hasSuffix("/blobs/\(last.digest)") ? Answer(500) : nil
        }
        let name = try source.add(image, "app")
        let signatures = try builder.signatures([.simple(of: image.digest, by: key)])
        try source.add(signatures, "app", tag: "sha256-\(image.digest.hex).sig")
        let platforms = sparse == nil ? [] : ["linux/amd64"]
        func bundle(_ file: String, by key: SigningKey) async throws -> Report {
            try await workshop.bundle(
                [name],
                to: file,
                platforms: platforms,
                sparse: sparse ?? .strip,
                policy: policy([(key, nil)])
            )
        }
        breaks.set(true)
        #expect(try await bundle("bundle.tar", by: key).outcome == .failed)
        breaks.set(false)
        #expect(try await bundle("bundle.tar", by: other).exitStatus == .unverified)
        let report = try await bundle("bundle.tar", by: key)
        #expect(report.failures.map(\.message) == [])

        var options = Synchronizer.Options()
        options.platforms = platforms.compactMap(PlatformSelector.init)
        options.sparseIndexes = sparse ?? .strip
        let lock = BundleLock(report, options: options)
        for (signer, isSigned) in [(key, true), (other, false)] {
            lock.apply(to: &options)
            options.signaturePolicy = try policy([(signer, nil)])
            let locked = try await Synchronizer(connections: workshop.connections)
                .bundle(lock.references, to: workshop.path("\(isSigned).tar"), options: options)
            #expect(locked.outcome == (isSigned ? .done : .failed))
        }
        #expect(try workshop.scratch.read("true.tar") == workshop.scratch.read("bundle.tar"))
    }

    @Test func `what is signed is the index as it was found, and signatures may stay behind`() async throws {
        let (registry, key) = (try await EmbeddedRegistry(), try SigningKey())
        var builder = ImageBuilder(seed: 985)
        let image = try builder.multiPlatform()
        let name = try registry.add(image, "app")
        try sign(image, [.simple(of: image.digest, by: key)], in: "app", of: registry)
        let stripped = try await workshop.bundle([name], platforms: ["linux/amd64"], policy: policy([(key, nil)]))
        #expect(stripped.images.map(\.originalDigest) == [image.digest])
        #expect(stripped.notes.count == 1)
        let bare = try await workshop.bundle([name], to: "bare.tar", referrers: false, policy: policy([(key, nil)]))
        #expect(bare.failures.map(\.message) == [])
        #expect(try LayoutReader(path: workshop.path("bare.tar")).unnamed.isEmpty)
    }

    @Test func `a signature that cannot be had is none, and it is told why`() async throws {
        let key = try SigningKey()
        var builder = ImageBuilder(seed: 986)
        let image = try builder.image()
        let manifest = try builder.signatures([.simple(of: image.digest, by: key)])
        let payload = try #require(manifest.layers.first)
        let source = try Source { $0.path.hasSuffix("/blobs/\(payload.digest)") ? Answer(404) : nil }
        let name = try source.add(image, "app")
        try source.add(manifest, "app", tag: "sha256-\(image.digest.hex).sig")
        let report = try await workshop.bundle([name], policy: policy([(key, nil)]))
        #expect(report.exitStatus == .unverified)
        #expect(report.failures.first?.message.contains("\(payload.digest)") == true)
    }

    @Test func `what is no key, and what is no pattern, is an error that says so`() throws {
        var policy = SignaturePolicy()
        let key = try SigningKey()
        let notKey = #expect(throws: DrayageError.self) { try policy.addKey(pem: Array("no".utf8), named: "a.pub") }
        #expect(notKey?.code == .usage)
        #expect(notKey?.description.hasPrefix("reading the key a.pub: ") == true)
        let notPattern = #expect(throws: DrayageError.self) {
            try policy.addKey(pem: key.publicPEM, named: "a.pub", for: "ghcr.io/UP per")
        }
        #expect(notPattern?.description.hasPrefix("reading for which repositories a.pub is: ") == true)
        #expect(policy.isEmpty)
    }
}
