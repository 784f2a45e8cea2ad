/// What of a registry stays, and why: a set that is closed under everything that an image needs and that belongs to it.
///
/// Whatever is kept keeps what is beneath it, what refers to it by its subject, and what is listed or signed for it under
/// the tags that clients make for that. These stand mostly beside their subject, or in a repository of their own, which
/// does not have the subject. Those beside another copy of it are that copy's, unless there are no others.
struct KeepSet {
    /// What stays of one repository, with the reasons.
    struct Kept {
        var tags: [Tag: String] = [:]
        var manifests: [Digest: String] = [:]
    }

    let contents: RegistryContents
    /// What stays, in the order of the repositories.
    private(set) var kept: [Kept]

    /// The manifests that have a digest as their subject, in whichever repository.
    private var referrers: [Digest: [(repository: Int, digest: Digest)]] = [:]
    /// The tags that are named after a digest, in whichever repository.
    private var namedTags: [AttachmentTag.Key: [(repository: Int, tag: Tag)]] = [:]
    private var queue: [(repository: Int, digest: Digest)] = []

    /// Starts with nothing that stays.
    init(_ contents: RegistryContents) {
        self.contents = contents
        kept = contents.repositories.map { _ in Kept() }
        for (index, repository) in contents.repositories.enumerated() {
            for (digest, facts) in repository.manifests {
                if let subject = facts.subject { referrers[subject, default: []].append((index, digest)) }
            }
            for tag in repository.allTags {
                if let key = AttachmentTag.Key(of: tag) { namedTags[key, default: []].append((index, tag)) }
            }
        }
    }

    /// Keeps a tag, and what it points at.
    mutating func keep(_ tag: Tag, in repository: Int, because reason: String) {
        if kept[repository].tags[tag] == nil { kept[repository].tags[tag] = reason }
        if let digest = contents.repositories[repository].tags[tag] { keep(digest, in: repository, because: reason) }
    }

    /// Keeps a manifest, if the repository has it.
    mutating func keep(_ digest: Digest, in repository: Int, because reason: String) {
        guard contents.repositories[repository].has(digest), kept[repository].manifests[digest] == nil else { return }
        kept[repository].manifests[digest] = reason
        queue.append((repository, digest))
    }

    /// Keeps what belongs to nothing in its own repository: it may belong to something that was not read.
    mutating func keepStrayAttachments() {
        let reason = "what it belongs to may be where nothing was read"
        for (index, repository) in contents.repositories.enumerated() {
            for (digest, facts) in repository.manifests {
                guard let subject = facts.subject, !repository.has(subject) else { continue }
                keep(digest, in: index, because: reason)
                for (tag, target) in repository.tags where target == digest { keep(tag, in: index, because: reason) }
            }
            let named = repository.allTags.compactMap { tag in AttachmentTag.Key(of: tag).map { (tag, $0) } }
            guard !named.isEmpty else { continue }
            let own = Set((Array(repository.manifests.keys) + repository.damagedManifests).map(AttachmentTag.Key.init))
            for (tag, key) in named where !own.contains(key) { keep(tag, in: index, because: reason) }
        }
    }

    /// Adds what the kept things need and what belongs to them, until nothing is missing.
    mutating func close() {
        while let (repository, digest) = queue.popLast() {
            for need in contents.repositories[repository].manifests[digest]?.needs ?? [] {
                keep(need.digest, in: repository, because: "beneath \(digest)")
            }
            for referrer in nearest(referrers[digest] ?? [], to: digest, in: repository, \.repository) {
                keep(referrer.digest, in: referrer.repository, because: "refers to \(digest)")
            }
            for named in nearest(namedTags[AttachmentTag.Key(digest)] ?? [], to: digest, in: repository, \.repository) {
                keep(named.tag, in: named.repository, because: "belongs to \(digest)")
            }
        }
        keepTagsOfReferrers()
    }

    /// Of what belongs to a manifest in one repository, that which is kept for its sake.
    private func nearest<Item>(
        _ items: [Item],
        to digest: Digest,
        in repository: Int,
        _ place: KeyPath<Item, Int>
    ) -> [Item] {
        let near = items.filter { item in
            let index = item[keyPath: place]
            return index == repository || !contents.repositories[index].has(digest)
        }
        return near.isEmpty ? items : near
    }

    /// Keeps the tags of kept referrers: without the Referrers API there is no other way to find them.
    private mutating func keepTagsOfReferrers() {
        let all = kept.reduce(into: Set<Digest>()) { $0.formUnion($1.manifests.keys) }
        for (index, repository) in contents.repositories.enumerated() {
            for (tag, digest) in repository.tags where kept[index].tags[tag] == nil {
                guard kept[index].manifests[digest] != nil, let subject = repository.manifests[digest]?.subject,
                    all.contains(subject)
                else { continue }
                kept[index].tags[tag] = "refers to \(subject)"
            }
        }
    }
}

extension RegistryContents.Repository {
    /// Whether it has a manifest, readable or not.
    func has(_ digest: Digest) -> Bool { manifests[digest] != nil || damagedManifests.contains(digest) }

    /// All tags, readable or not.
    var allTags: [Tag] { Array(tags.keys) + damagedTags }
}
