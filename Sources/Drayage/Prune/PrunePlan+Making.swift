extension PrunePlan.Repository {
    /// Says of everything in a repository whether it stays.
    init(_ repository: RegistryContents.Repository, kept: KeepSet.Kept, in contents: RegistryContents) {
        let tags = (repository.allTags + repository.ghostTags).sorted().map { tag in
            PrunePlan.TagEntry(
                tag: tag,
                digest: repository.tags[tag],
                action: kept.tags[tag] == nil ? .remove : .keep,
                reason: kept.tags[tag] ?? (repository.ghostTags.contains(tag) ? "it points nowhere" : "not required")
            )
        }
        let going = repository.removalOrder(of: repository.manifests.keys.filter { kept.manifests[$0] == nil })
        let tagged = Set(repository.tags.values)
        let removed = (going + repository.uselessLinks(kept: kept)).map { digest in
            PrunePlan.ManifestEntry(
                digest: digest,
                byteCount: repository.manifests[digest]?.byteCount ?? 0,
                action: .remove,
                reason: repository.reasonToRemove(digest, isTagged: tagged.contains(digest))
            )
        }
        let staying = kept.manifests.sorted { $0.key < $1.key }.map { digest, reason in
            PrunePlan.ManifestEntry(
                digest: digest,
                byteCount: repository.manifests[digest]?.byteCount ?? 0,
                action: .keep,
                reason: reason
            )
        }
        let isEmptied = kept.tags.isEmpty && kept.manifests.isEmpty && repository.isCertain
        self.init(
            repository: repository.path,
            // An API has nothing to remove an empty repository by.
            isRemoved: isEmptied && (contents.isStorage || !tags.isEmpty || !removed.isEmpty),
            tags: tags,
            manifests: removed + staying,
            layers: repository.unneededLayers(kept: kept),
            uploadCount: repository.isLeftAlone == nil ? repository.uploadCount : 0
        )
    }
}

extension RegistryContents.Repository {
    /// Whether all that it needs is known, and it may be changed.
    fileprivate var isCertain: Bool { damage.isEmpty && isLeftAlone == nil }

    fileprivate func reasonToRemove(_ digest: Digest, isTagged: Bool) -> String {
        guard manifests[digest] != nil else { return "its bytes are gone" }
        return isTagged ? "not required" : "nothing that stays needs it"
    }

    /// The links to manifests whose bytes are gone, but for those by which a tag is known to be broken.
    fileprivate func uselessLinks(kept: KeepSet.Kept) -> [Digest] {
        guard isCertain, !danglingManifests.isEmpty else { return [] }
        return danglingManifests.subtracting(kept.tags.keys.compactMap { tags[$0] }).sorted()
    }

    /// The links to blobs that nothing that stays needs, sorted.
    fileprivate func unneededLayers(kept: KeepSet.Kept) -> [Digest] {
        guard isCertain, !layers.isEmpty else { return [] }
        var needed: Set<Digest> = []
        for digest in kept.manifests.keys {
            for need in manifests[digest]?.needs ?? [] { needed.insert(need.digest) }
        }
        return layers.subtracting(needed).sorted()
    }

    /// Manifests in an order in which each comes before what it needs and what it refers to, so that an end in the middle
    /// leaves nothing without its parts.
    fileprivate func removalOrder(of digests: [Digest]) -> [Digest] {
        let going = Set(digests)
        var waiting: [Digest: Int] = [:]
        func targets(_ digest: Digest) -> Set<Digest> {
            guard let facts = manifests[digest] else { return [] }
            return Set(facts.needs.map(\.digest) + [facts.subject].compactMap(\.self)).intersection(going)
        }
        for digest in going {
            for target in targets(digest) { waiting[target, default: 0] += 1 }
        }
        var ready = going.filter { waiting[$0] == nil }.sorted()
        var next = 0
        while next < ready.count {
            for target in targets(ready[next]).sorted() {
                waiting[target, default: 0] -= 1
                if waiting[target] == 0 { ready.append(target) }
            }
            next += 1
        }
        return ready
    }
}

/// What the things that stay need, over all repositories.
struct Needs {
    private let contents: RegistryContents
    private var digests: Set<Digest>

    /// Collects them.
    ///
    /// - Parameters:
    ///   - contents: the registry.
    ///   - kept: what stays, in the order of its repositories.
    ///   - losesLinks: whether a repository loses the links to blobs that none of its manifests needs.
    init(
        _ contents: RegistryContents,
        kept: [KeepSet.Kept],
        losesLinks: (RegistryContents.Repository) -> Bool
    ) {
        self.contents = contents
        digests = contents.pinnedBlobs
        for (index, repository) in contents.repositories.enumerated() {
            for digest in kept[index].manifests.keys {
                digests.insert(digest)
                for need in repository.manifests[digest]?.needs ?? [] { digests.insert(need.digest) }
            }
            if !losesLinks(repository) { digests.formUnion(repository.layers) }
        }
    }

    /// The blobs of a storage that nothing needs.
    var unneededBlobs: [PrunePlan.BlobEntry] {
        contents.blobs.filter { !digests.contains($0.key) }.map { .init(digest: $0.key, byteCount: $0.value) }
    }

    /// The bytes of the manifests that go and of the blobs beneath them that nothing needs, as the manifests state them.
    func byteCountUnneeded(beneath repositories: [PrunePlan.Repository]) -> Int64 {
        let going = Dictionary(uniqueKeysWithValues: repositories.map { ($0.repository, $0.removedManifests) })
        var sizes: [Digest: Int64] = [:]
        for repository in contents.repositories {
            for entry in going[repository.path] ?? [] {
                sizes[entry.digest] = entry.byteCount
                for need in repository.manifests[entry.digest]?.needs ?? [] where sizes[need.digest] == nil {
                    sizes[need.digest] = need.byteCount
                }
            }
        }
        return sizes.filter { !digests.contains($0.key) }.values.reduce(0) { total, size in
            let (sum, overflow) = total.addingReportingOverflow(size)
            return overflow ? .max : sum
        }
    }
}
