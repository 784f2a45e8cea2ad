/// What of a registry stays, and why: a set that is closed under everything that an image needs and that belongs to it.
///
/// Whatever is kept keeps what is beneath it, what refers to it by its subject, and what is listed or signed for it under
/// the tags that clients make for that. These stand mostly beside their subject; where they stand in a repository of
/// their own, which does not have the subject, they are kept as well.
struct KeepSet {
    /// What stays of one repository, with the reasons.
    struct Kept {
        var tags: [Tag: String] = [:]
        var manifests: [Digest: String] = [:]
    }

    /// What belongs to a manifest without being beneath it.
    private struct Attachments {
        /// The manifests that have a digest as their subject.
        var referrers: [Digest: [Digest]] = [:]
        /// The tags that are named after a digest.
        var tags: [AttachmentTag.Key: [Tag]] = [:]
    }

    let contents: RegistryContents
    /// What stays, in the order of the repositories.
    private(set) var kept: [Kept]

    private var attachments: [Attachments] = []
    /// Those whose subject is not in their own repository.
    private var strayReferrers: [Digest: [(repository: Int, digest: Digest)]] = [:]
    private var strayTags: [AttachmentTag.Key: [(repository: Int, tag: Tag)]] = [:]
    private var queue: [(repository: Int, digest: Digest)] = []

    /// Starts with nothing that stays.
    init(_ contents: RegistryContents) {
        self.contents = contents
        kept = contents.repositories.map { _ in Kept() }
        for index in contents.repositories.indices { collectAttachments(of: index) }
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

    /// Adds what the kept things need and what belongs to them, until nothing is missing.
    mutating func close() {
        while let (repository, digest) = queue.popLast() {
            for need in contents.repositories[repository].manifests[digest]?.needs ?? [] {
                keep(need.digest, in: repository, because: "beneath \(digest)")
            }
            for referrer in attachments[repository].referrers[digest] ?? [] {
                keep(referrer, in: repository, because: "refers to \(digest)")
            }
            for referrer in strayReferrers[digest] ?? [] {
                keep(referrer.digest, in: referrer.repository, because: "refers to \(digest)")
            }
            let key = AttachmentTag.Key(digest)
            for tag in attachments[repository].tags[key] ?? [] {
                keep(tag, in: repository, because: "belongs to \(digest)")
            }
            for stray in strayTags[key] ?? [] {
                keep(stray.tag, in: stray.repository, because: "belongs to \(digest)")
            }
        }
        keepTagsOfReferrers()
    }

    /// Keeps the tags of kept referrers: without the Referrers API there is no other way to find them.
    private mutating func keepTagsOfReferrers() {
        for (index, repository) in contents.repositories.enumerated() {
            for (tag, digest) in repository.tags where kept[index].tags[tag] == nil {
                guard let reason = kept[index].manifests[digest], reason.hasPrefix("refers to ") else { continue }
                kept[index].tags[tag] = reason
            }
        }
    }

    private mutating func collectAttachments(of index: Int) {
        let repository = contents.repositories[index]
        var own = Attachments()
        for (digest, facts) in repository.manifests {
            guard let subject = facts.subject else { continue }
            if repository.has(subject) {
                own.referrers[subject, default: []].append(digest)
            } else {
                strayReferrers[subject, default: []].append((index, digest))
            }
        }
        let named = repository.allTags.compactMap { tag in AttachmentTag.Key(of: tag).map { (tag, $0) } }
        if !named.isEmpty {
            let keys = Set((Array(repository.manifests.keys) + repository.damagedManifests).map(AttachmentTag.Key.init))
            for (tag, key) in named {
                if keys.contains(key) {
                    own.tags[key, default: []].append(tag)
                } else {
                    strayTags[key, default: []].append((index, tag))
                }
            }
        }
        attachments.append(own)
    }
}

/// A tag that is named after the digest that it belongs to.
enum AttachmentTag {
    /// The digest, as far as a tag can hold it: `sha256-<hex>`, the hex cut off after 64 digits.
    ///
    /// Spec: distribution "Referrers Tag Schema". Cosign's tags have the same name with `.sig`, `.att` or `.sbom` after it.
    struct Key: Hashable {
        let text: Substring

        init(_ digest: Digest) { text = "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))" }

        /// The digest that a tag is named after; nil where it is a tag of any other kind.
        init?(of tag: Tag) {
            let name = tag.description.prefix { $0 != "." }
            let parts = name.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Digest.Algorithm(rawValue: String(parts[0])) != nil, parts[1].utf8.count == 64,
                parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
            else { return nil }
            text = name
        }
    }
}

extension RegistryContents.Repository {
    /// Whether it has a manifest, readable or not.
    func has(_ digest: Digest) -> Bool { manifests[digest] != nil || damagedManifests.contains(digest) }

    /// All tags, readable or not.
    var allTags: [Tag] { Array(tags.keys) + damagedTags }
}
