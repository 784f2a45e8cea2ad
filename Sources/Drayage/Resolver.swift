import ImageLayout
import RegistryClient

/// Finds out what references lead to: the manifest or index of each, and every manifest beneath.
///
/// It goes level by level over all images together, so that a manifest that several of them share is fetched once.
struct Resolver: Sendable {
    /// An image that was found.
    struct Image: Sendable {
        let reference: Reference
        var top: Descriptor
        /// What is taken of it; nil for all.
        var subset: LayoutSubset?
        /// How often its manifest was tried.
        let attempts: Int
        /// Where it and what is beneath it may be had.
        let origin: Origin
        /// Where it was found; nil where no registry was asked.
        let source: Repository?
        /// What refers to it, or to what is beneath it.
        var referrers: [LayoutReferrer] = []

        /// The digest that it has where it was found.
        var foundDigest: Digest { subset?.original ?? top.digest }

        /// What is beneath it and beneath what refers to it.
        var tops: [Digest] { [top.digest] + referrers.map(\.descriptor.digest) }
    }

    /// What was found, and what was not.
    struct Resolution: Sendable {
        var images: [Image] = []
        var graph = ImageGraph()
        var failures: [Report.Failure] = []
        /// What is taken of the images.
        var choice = PlatformChoice(platforms: [])
        /// The blobs that had to be read already.
        var blobs: [Digest: PlannedBlob] = [:]
        /// Their bytes.
        var plannedByteCount = 0
        /// What the registries say of their limits; nil where none says anything.
        var quotas: [Report.Quota]?
    }

    let client: RegistryClient
    let parallelism: Int
    let progress: ProgressHandler
    /// What is taken of the images.
    var choice = PlatformChoice(platforms: [])
    /// Whether an image of which something is left out gets an index of its own.
    var strips = false
    /// Earlier bundles, whose blobs need not be fetched.
    var reused: [LayoutReader] = []
    /// Documents that are at hand, and need not be fetched.
    var known: [Digest: Document] = [:]
    /// References of which it is decided what they lead to, whatever their tags mean by now.
    var pinned: [Reference: Digest] = [:]
    /// Where the references are asked for.
    let routes: Routes
    let health: MirrorHealth

    /// Resolves all references.
    ///
    /// One that fails does not stop the others.
    ///
    /// - Throws: `CancellationError` alone.
    func resolve(_ references: [Reference]) async throws -> Resolution {
        progress(.resolving(count: references.count))
        var walk = Walk(references: references, choice: choice)
        for (index, reference) in references.enumerated() {
            do { walk.setOrigin(of: index, try routes.origin(of: reference)) } catch { walk.fail(index, error) }
        }
        let tops = references.enumerated().compactMap { index, reference in
            let target = pinned[reference].map { .digest($0) } ?? ManifestTarget(reference)
            return walk.origins[index].map { Fetch(target: target, expected: nil, sources: [$0], images: [index]) }
        }
        walk.take(try await fetch(tops))
        while let next = walk.nextLevel() {
            walk.take(try await fetch(next))
        }
        // A request that was cut off is not the image's fault.
        try Task.checkCancellation()
        var resolution = walk.resolution
        try await choosePlatforms(in: &resolution)
        resolution.quotas = quotas(of: references, needed: walk.requestCounts)
        return resolution
    }

    private func fetch(_ fetches: [Fetch]) async throws -> [Fetched] {
        let byRegistry = Dictionary(grouping: fetches) { $0.sources.places.first?.repository.registry }.values
        return try await collectConcurrently(byRegistry, limit: byRegistry.count) { group in
            try await collectConcurrently(group, limit: parallelism, fetch)
        }.flatMap(\.self)
    }

    private func fetch(_ fetch: Fetch) async throws -> Fetched {
        var fetched = Fetched(fetch: fetch, result: .failure(CancellationError()))
        let attempts = AttemptCount()
        do {
            let document = try await health.ask(fetch.sources.places) { place in
                let repository = place.repository
                if let atHand = try await documentAtHand(for: fetch, at: place) {
                    if !fetch.isKnownByDigest { fetched.source = repository }
                    return atHand
                }
                fetched.requestCounts[repository.registry, default: 0] += 1
                fetched.source = repository
                return try await attempts.counting {
                    try await place.client(client)
                        .fetchManifest(fetch.target, in: repository, expected: fetch.expected)
                }
            }
            fetched.result = .success(document)
            fetched.attempts = attempts.value
            if fetch.expected == nil, let source = fetch.sources.first?.places.last {
                progress(.resolved(name: fetch.target.name(in: source.repository)))
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            fetched.result = .failure(error)
        }
        return fetched
    }

    /// What need not be fetched.
    ///
    /// What a tag means is asked for, where the answer can spare a manifest: registries that count requests count those
    /// for manifests, and not those for digests.
    private func documentAtHand(for fetch: Fetch, at place: Place) async throws -> Document? {
        guard !known.isEmpty else { return nil }
        let digest: Digest? =
            switch fetch.target {
            case .digest(let digest): digest
            case .tag(let tag): try await place.client(client).digest(of: tag, in: place.repository)
            }
        guard let digest, let document = known[digest] else { return nil }
        // What is not as its parent says is for the registry to decide, as if it were not at hand.
        guard let expected = fetch.expected else { return document }
        let agrees = expected.size == document.descriptor.size && expected.mediaType == document.descriptor.mediaType
        return agrees ? document : nil
    }

    /// What the registries of references, and those that were asked in their place, say of their limits.
    ///
    /// - Parameters:
    ///   - references: the references.
    ///   - counts: how many manifests were asked for, by registry.
    /// - Returns: the quotas, by name of the registry; nil where there is none.
    private func quotas(of references: [Reference], needed counts: [String: Int]) -> [Report.Quota]? {
        let registries = Set(references.map(\.repository.registry)).union(counts.keys)
        let quotas = registries.sorted().compactMap { registry in
            client.rateLimit(of: registry).map { Report.Quota(registry, $0, needed: counts[registry] ?? 0) }
        }
        return quotas.isEmpty ? nil : quotas
    }
}
