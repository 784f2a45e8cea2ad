/// Decides what of a registry goes and what stays.
///
/// It reads and changes nothing itself.
struct PrunePlanner {
    let requirement: PruneRequirement
    let paths: RequiredPaths
    /// The registry or the directory, as the plan calls it.
    let target: String
    /// The repositories that were named, where a registry has no catalog; nil for all.
    var selected: Set<RepositoryPath>?

    /// Makes a plan.
    ///
    /// - Throws: ``DrayageError`` with `usage` where a required image can have no name in the registry.
    func plan(for contents: RegistryContents) throws -> PrunePlan {
        var contents = contents
        var (keeping, missing) = try keepSet(contents)
        // A kept image of which a manifest is gone is damage, because of which more is kept.
        while contents.note(brokenIn: keeping.kept) { (keeping, missing) = try keepSet(contents) }
        let needs = Needs(contents, kept: keeping.kept) { isChangeable($0) && $0.damage.isEmpty }
        let pairs = zip(contents.repositories, keeping.kept).filter { isInScope($0.0.path) }
        let repositories = pairs.map { PrunePlan.Repository($0, kept: $1, in: contents) }
        let blobs = needs.unneededBlobs.sorted { $0.digest < $1.digest }
        return PrunePlan(
            target: target,
            repositories: repositories,
            blobs: blobs,
            freedByteCount: contents.isStorage
                ? blobs.reduce(0) { $0 + $1.byteCount } : needs.byteCountUnneeded(beneath: repositories),
            missing: missing,
            problems: problems(of: contents) + pairs.flatMap { contents.missingBlobs(of: $0, kept: $1) }
        )
    }

    private func keepSet(_ contents: RegistryContents) throws -> (KeepSet, [PrunePlan.MissingImage]) {
        var keeping = KeepSet(contents)
        let missing = try keepRequired(&keeping)
        try keepByRule(&keeping)
        keepTagsOfDigests(&keeping)
        keepUncertain(&keeping)
        if !contents.isComplete { keeping.keepStrayAttachments() }
        keeping.close()
        return (keeping, missing)
    }

    /// Whether a repository is within what may be touched.
    func isInScope(_ path: RepositoryPath) -> Bool {
        isBeneathPrefix(path) && requirement.mayTouch(path) && (selected?.contains(path) ?? true)
    }

    private func isBeneathPrefix(_ path: RepositoryPath) -> Bool {
        paths.mapping.prefix.map { path.description == $0 || path.description.hasPrefix($0 + "/") } ?? true
    }

    private func isChangeable(_ repository: RegistryContents.Repository) -> Bool {
        repository.isLeftAlone == nil && isInScope(repository.path)
    }

    private func problems(of contents: RegistryContents) -> [String] {
        let inside = contents.repositories.filter { isInScope($0.path) }.flatMap { repository in
            repository.damage + (repository.isLeftAlone.map { ["\(repository.path): \($0)"] } ?? [])
        }
        return inside + contents.problems.map(\.message)
    }

    // MARK: - What stays

    /// Keeps the required images, and gives those that are not there.
    private func keepRequired(_ keeping: inout KeepSet) throws -> [PrunePlan.MissingImage] {
        let repositories = keeping.contents.repositories
        let indexes = Dictionary(
            repositories.enumerated().map { ($1.path, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var missing: [PrunePlan.MissingImage] = []
        for image in requirement.images {
            let candidates = try paths.candidates(for: image)
            var isThere = false
            for index in candidates.compactMap({ indexes[$0] }) {
                keep(image, in: index, &keeping)
                isThere = repositories[index].has(image) || isThere
            }
            guard !isThere, isMissing(from: candidates, in: keeping.contents) else { continue }
            missing.append(PrunePlan.MissingImage(image, candidates: candidates))
        }
        return missing
    }

    /// Whether an image that was not found is missing: what was not read may well be there.
    private func isMissing(from candidates: [RepositoryPath], in contents: RegistryContents) -> Bool {
        let own = candidates.filter(isBeneathPrefix)
        guard own.contains(where: isInScope) else { return false }
        return contents.isStorage || own.allSatisfy { isInScope($0) && !contents.unreadable.contains($0) }
    }

    /// Keeps the tags of what is required by its digest, where no other stays at it.
    ///
    /// What has no tag at all is taken for garbage by whoever cleans up after us.
    private func keepTagsOfDigests(_ keeping: inout KeepSet) {
        let pinned = Set(requirement.images.compactMap(\.reference.digest))
        guard !pinned.isEmpty else { return }
        for (index, repository) in keeping.contents.repositories.enumerated() {
            var tags: [Digest: [Tag]] = [:]
            for (tag, digest) in repository.tags where pinned.contains(digest) { tags[digest, default: []].append(tag) }
            for (digest, tags) in tags where keeping.kept[index].manifests[digest] != nil {
                guard tags.allSatisfy({ keeping.kept[index].tags[$0] == nil }) else { continue }
                for tag in tags { keeping.keep(tag, in: index, because: "points at \(digest), which is required") }
            }
        }
    }

    private func keep(_ image: RequiredImage, in index: Int, _ keeping: inout KeepSet) {
        let reason = "required (\(image.place))"
        if let digest = image.reference.digest { keeping.keep(digest, in: index, because: reason) }
        if let tag = image.reference.tag {
            guard keeping.contents.repositories[index].hasTag(tag) else { return }
            keeping.keep(tag, in: index, because: reason)
        } else if image.reference.digest == nil {
            for tag in keeping.contents.repositories[index].allTags {
                keeping.keep(tag, in: index, because: "every tag is required (\(image.place))")
            }
        }
    }

    /// Keeps what a rule names: the newest of each repository, and tags of a certain form.
    private func keepByRule(_ keeping: inout KeepSet) throws {
        let regexes = try requirement.tagRegexes()
        for (index, repository) in keeping.contents.repositories.enumerated() {
            for regex in regexes {
                for tag in try regex.matches(among: repository.allTags) {
                    keeping.keep(tag, in: index, because: "matches \(regex)")
                }
            }
            guard let count = requirement.newestCount else { continue }
            for (tag, reason) in repository.newest(count) { keeping.keep(tag, in: index, because: reason) }
        }
    }

    /// Keeps what may not be touched, and all manifests of a repository in which something cannot be read.
    private func keepUncertain(_ keeping: inout KeepSet) {
        for (index, repository) in keeping.contents.repositories.enumerated() {
            let isChangeable = isChangeable(repository)
            guard !isChangeable || !repository.damage.isEmpty else { continue }
            let reason = repository.isLeftAlone ?? "something in the repository cannot be read"
            for digest in repository.manifests.keys { keeping.keep(digest, in: index, because: reason) }
            for digest in repository.damagedManifests {
                keeping.keep(digest, in: index, because: "it cannot be read")
            }
            for tag in repository.damagedTags { keeping.keep(tag, in: index, because: "it cannot be read") }
            for (tag, digest) in repository.tags where !isChangeable || repository.damagedManifests.contains(digest) {
                keeping.keep(tag, in: index, because: isChangeable ? "its manifest cannot be read" : reason)
            }
        }
    }
}

extension RegistryContents.Repository {
    fileprivate func hasTag(_ tag: Tag) -> Bool {
        tags[tag] != nil || damagedTags.contains(tag) || ghostTags.contains(tag)
    }

    /// Whether a required image is there: by its digest where it has one, else by its tag, else by any tag.
    fileprivate func has(_ image: RequiredImage) -> Bool {
        if let digest = image.reference.digest { return has(digest) }
        guard let tag = image.reference.tag else { return !allTags.isEmpty }
        guard let digest = tags[tag] else { return damagedTags.contains(tag) }
        return has(digest) && manifests[digest]?.isThrowAway != true
    }

    /// The tags of the newest images, each with the reason to keep it.
    fileprivate func newest(_ count: Int) -> [(Tag, String)] {
        let images = tags.filter { AttachmentTag.Key(of: $0.key) == nil }
        let times = Set(images.values).compactMap { manifests[$0]?.created }.sorted(by: >)
        let oldest = times.prefix(count).last
        return images.compactMap { tag, digest in
            guard let created = manifests[digest]?.created else { return (tag, "it does not say when it was made") }
            return oldest.map { created >= $0 } ?? true ? (tag, "one of the \(count) newest") : nil
        }
    }
}

extension PrunePlan.MissingImage {
    fileprivate init(_ image: RequiredImage, candidates: [RepositoryPath]) {
        let end = image.reference.digest.map { "@\($0)" } ?? image.reference.tag.map { ":\($0)" } ?? ""
        self.init(
            reference: image.description,
            place: image.place,
            candidates: candidates.map { "\($0)\(end)" }
        )
    }
}
