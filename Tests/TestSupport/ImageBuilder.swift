package import OCI

/// Makes images in memory, the same for the same seed and the same calls.
package struct ImageBuilder: Sendable {
    /// The family of media types.
    package enum Family: String, Sendable, CaseIterable {
        case oci
        case docker
    }

    /// Where an image runs when nothing else is said.
    package static let linuxAMD64 = Platform(os: "linux", architecture: "amd64")
    /// The other platform of most tests.
    package static let linuxARM64 = Platform(os: "linux", architecture: "arm64", variant: "v8")

    /// The family of what is made next.
    package var family: Family
    /// The algorithm of the digests of what is made next.
    package var algorithm: Digest.Algorithm
    var generator: SplitMix64

    /// Starts at a seed.
    package init(seed: UInt64 = 1, family: Family = .oci, algorithm: Digest.Algorithm = .sha256) {
        self.family = family
        self.algorithm = algorithm
        generator = SplitMix64(seed: seed)
    }

    // MARK: - Layers

    /// A layer in gzip, of about that many random bytes in one file.
    package mutating func layer(byteCount: Int = 1024) throws -> TestBlob {
        let seed = generator.next()
        let name = "srv/\(String(seed, radix: 16))"
        return try layer(files: [TarBytes.File(name, RandomBytes.make(count: byteCount, seed: seed))])
    }

    /// A layer in gzip of these files.
    package func layer(files: [TarBytes.File]) throws -> TestBlob {
        let archive = TarBytes.archive(files)
        return try TestBlob(
            bytes: try Gzip.compress(archive),
            mediaType: family.layer,
            diffID: try Digest.of(archive),
            algorithm: algorithm
        )
    }

    /// A layer that is only bytes, as a registry does not mind: exactly that many.
    package mutating func opaqueLayer(byteCount: Int) throws -> TestBlob {
        let bytes = RandomBytes.make(count: byteCount, seed: generator.next())
        return try TestBlob(bytes: bytes, mediaType: family.layer, diffID: try Digest.of(bytes), algorithm: algorithm)
    }

    /// A layer that its maker asks not to be distributed, and that no registry holds.
    ///
    /// - Parameters:
    ///   - byteCount: its size.
    ///   - urls: where its maker has it, given its digest.
    /// - Returns: the layer, without its bytes.
    /// - Throws: never, unless OpenSSL refuses.
    package mutating func foreignLayer(
        byteCount: Int = 1024,
        urls: ((Digest) -> [String])? = nil
    ) throws -> TestBlob {
        let layer = try opaqueLayer(byteCount: byteCount)
        let descriptor = Descriptor(
            mediaType: family.foreignLayer,
            digest: layer.digest,
            size: layer.descriptor.size
        )
        let urls = urls?(layer.digest) ?? ["https://layers.example.com/\(layer.digest.hex)"]
        return TestBlob(descriptor: descriptor, content: .elsewhere, diffID: layer.diffID, urls: urls)
    }

    // MARK: - Images

    /// An image for one platform; without layers given, of one small random layer.
    ///
    /// - Parameters:
    ///   - layers: the layers, base first.
    ///   - platform: what it runs on.
    ///   - command: what it runs.
    ///   - annotations: the manifest's own annotations.
    ///   - saysMediaType: whether the manifest has a `mediaType` field, which OCI leaves open.
    ///   - configBytes: a config of other bytes than those that fit.
    /// - Returns: the image, in the builder's family.
    /// - Throws: never, unless OpenSSL or zlib refuse.
    package mutating func image(
        layers: [TestBlob]? = nil,
        platform: Platform = linuxAMD64,
        command: [String] = ["/bin/sh"],
        annotations: [String: String]? = nil,
        saysMediaType: Bool = true,
        configBytes: [UInt8]? = nil
    ) throws -> TestImage {
        let layers = try layers ?? [layer()]
        let json = ConfigJSON(
            architecture: platform.architecture,
            os: platform.os,
            variant: platform.variant,
            osVersion: platform.osVersion,
            config: ConfigJSON.Run(command: command),
            rootfs: ConfigJSON.RootFS(diffIDs: layers.compactMap(\.diffID?.description)),
            history: layers.map { _ in ConfigJSON.Step() }
        )
        let config = try TestBlob(
            bytes: try configBytes ?? encoded(json),
            mediaType: family.config,
            algorithm: algorithm
        )
        let manifest = ManifestJSON(
            mediaType: saysMediaType ? family.manifest.rawValue : nil,
            config: DescriptorJSON(config),
            layers: layers.map { DescriptorJSON($0) },
            annotations: annotations
        )
        return TestImage(
            document: try TestDocument(bytes: try encoded(manifest), mediaType: family.manifest, algorithm: algorithm),
            children: [],
            config: config,
            layers: layers,
            platform: platform
        )
    }

    /// An index, or a manifest list, of images that were made before.
    package func index(
        of children: [TestImage],
        annotations: [String: String]? = nil,
        saysMediaType: Bool = true,
        saysPlatforms: Bool = true
    ) throws -> TestImage {
        let json = IndexJSON(
            mediaType: saysMediaType ? family.index.rawValue : nil,
            manifests: children.map { child in
                var json = DescriptorJSON(child)
                if !saysPlatforms { json.platform = nil }
                return json
            },
            annotations: annotations
        )
        return TestImage(
            document: try TestDocument(bytes: try encoded(json), mediaType: family.index, algorithm: algorithm),
            children: children,
            config: nil,
            layers: [],
            platform: nil
        )
    }

    /// An image for several platforms: a base layer of its own for each, and those that are shared above it.
    package mutating func multiPlatform(
        _ platforms: [Platform] = [linuxAMD64, linuxARM64],
        sharing layers: [TestBlob] = [],
        attested: Bool = false
    ) throws -> TestImage {
        var children: [TestImage] = []
        for platform in platforms { children.append(try image(layers: [layer()] + layers, platform: platform)) }
        if attested { children += try children.map { try attestation(of: $0) } }
        return try index(of: children)
    }
}
