import ImageLayout
import RegistryClient

extension Resolver {
    /// Leaves out what is not of the platforms that are asked for.
    ///
    /// An image that lacks one of them fails.
    ///
    /// - Throws: `CancellationError` alone.
    func choosePlatforms(in resolution: inout Resolution) async throws {
        guard choice.isChoice else { return }
        var failures = try await readConfigs(in: &resolution)
        var needed: Set<Digest> = []
        let asked = choice.platforms.map(\.description).joined(separator: ", ")
        for (index, image) in resolution.images.enumerated() where failures[index] == nil {
            let findings = resolution.choice.findings(of: image.top, in: resolution.graph)
            let missing = choice.platforms.filter { platform in !findings.taken.contains(where: platform.matches) }
            guard missing.isEmpty || findings.available.isEmpty else {
                failures[index] = lacking(missing, of: image, findings.available)
                continue
            }
            guard findings.documents.contains(image.top.digest) else {
                failures[index] = DrayageError(.other, "\(image.reference) has nothing for \(asked)")
                continue
            }
            needed.formUnion(findings.documents)
            if findings.leavesOut { resolution.images[index].subset = LayoutSubset(platforms: choice.platforms) }
        }
        resolution.fail(failures)
        resolution.graph.documents = resolution.graph.documents.filter { needed.contains($0.key) }
    }

    private func lacking(_ missing: [PlatformSelector], of image: Image, _ available: [Platform]) -> DrayageError {
        var known: Set<String> = []
        let others = available.map { $0.description.printableExcerpt }.filter { known.insert($0).inserted }
        let list = missing.map(\.description).joined(separator: " and no ")
        return DrayageError(.other, "\(image.reference) has no \(list); it has \(others.joined(separator: ", "))")
    }

    /// Reads the configs of the manifests of which no index says what they run on.
    ///
    /// - Returns: the images of which one could not be had.
    private func readConfigs(in resolution: inout Resolution) async throws -> [Int: any Error] {
        var needed: [Digest: (config: Descriptor, images: [Int])] = [:]
        for (index, image) in resolution.images.enumerated() {
            var asked: [Digest] = []
            if case .manifest = resolution.graph.documents[image.top.digest]?.content { asked = [image.top.digest] }
            for document in resolution.graph.documents(from: image.top.digest) {
                asked += document.children.filter { !$0.isAttestation && choice.platform(of: $0) == nil }.map(\.digest)
            }
            for digest in asked {
                guard case .manifest(let manifest) = resolution.graph.documents[digest]?.content,
                    manifest.config.mediaType.isImageConfig, manifest.config.size <= Int64(ImageConfig.byteLimit)
                else { continue }
                needed[digest, default: (manifest.config, [])].images.append(index)
            }
        }
        let images = resolution.images
        let found = try await collectConcurrently(needed, limit: parallelism) { digest, need in
            let origins = need.images.prefix(BlobSources.limit).map { images[$0].origin }
            let read = try await smallBlob(need.config, at: origins.places).map { blob in
                // What has an image's config for want of one of its own runs on nothing.
                let platform = (try? ImageConfig(bytes: blob.bytes))?.platform.flatMap { $0.os.isEmpty ? nil : $0 }
                return (platform: platform, blob: blob.isKept ? blob : nil)
            }
            return (digest, need, read)
        }
        var failures: [Int: any Error] = [:]
        for (digest, need, result) in found {
            switch result {
            case .success(let read):
                resolution.choice.configured[digest] = read.platform
                if let blob = read.blob { resolution.keep(blob, as: need.config.digest) }
            case .failure(let error):
                for index in need.images { failures[index] = failures[index] ?? error }
            }
        }
        return failures
    }
}
