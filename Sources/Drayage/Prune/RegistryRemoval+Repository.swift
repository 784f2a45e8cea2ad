import RegistryClient

/// Removes from one repository what a plan says, one request after the other.
struct RepositoryRemoval {
    let client: RegistryClient
    let repository: Repository
    let planned: PrunePlan.Repository
    let tagDeletion: TagDeletion
    let progress: ProgressHandler

    private var outcome = PruneOutcome()
    /// What the work is on, for the message of a failure.
    private var subject: ManifestTarget?

    init(
        client: RegistryClient,
        repository: Repository,
        planned: PrunePlan.Repository,
        tagDeletion: TagDeletion,
        progress: @escaping ProgressHandler
    ) {
        self.client = client
        self.repository = repository
        self.planned = planned
        self.tagDeletion = tagDeletion
        self.progress = progress
    }

    /// Removes it, up to the first failure.
    ///
    /// - Returns: what was removed and what failed, and the error that is to end the work on the other repositories too.
    consuming func run() async -> (PruneOutcome, end: (any Error)?) {
        do {
            try await removeAll()
            if planned.isRemoved { outcome.repositoryCount = 1 }
            return (outcome, nil)
        } catch let error as CancellationError {
            return (outcome, error)
        } catch {
            let name = subject?.name(in: repository) ?? repository.description
            outcome.failures.append(Report.Failure(subject: name, error: error))
            let endsAll = (error as? RegistryError)?.concernsWholeRegistry ?? false
            return (outcome, endsAll ? error : nil)
        }
    }

    private mutating func removeAll() async throws {
        try checkPlan()
        let going = Set(planned.removedManifests.map(\.digest))
        var tags: [Digest: [Tag]] = [:]
        for entry in planned.removedTags {
            if let digest = entry.digest, going.contains(digest) {
                tags[digest, default: []].append(entry.tag)
            } else {
                try await unlink(entry.tag, from: entry.digest)
                progress(.removed)
            }
        }
        // Each manifest goes right after its tags, so that an end in between leaves no tag without its parts.
        for entry in planned.removedManifests {
            try await remove(entry.digest, tags: tags[entry.digest] ?? [])
        }
    }

    /// Refuses a plan, which may come from a file, that would take a manifest from a tag that stays.
    private func checkPlan() throws {
        let staying = planned.tags.filter { $0.action == .keep }.compactMap(\.digest)
        let kept = planned.manifests.filter { $0.action == .keep }.map(\.digest)
        let contested = Set(staying + kept).intersection(planned.removedManifests.map(\.digest))
        guard let digest = contested.min() else { return }
        throw DrayageError(
            .other,
            "the plan removes \(digest) and keeps it too, so nothing of \(repository) was removed"
        )
    }

    // MARK: - Manifests that go

    private mutating func remove(_ digest: Digest, tags: [Tag]) async throws {
        var remaining: [Tag] = []
        for tag in tags {
            if try await delete(tag, of: digest) { progress(.removed) } else { remaining.append(tag) }
        }
        subject = .digest(digest)
        switch try await client.deleteManifest(.digest(digest), in: repository) {
        case .deleted:
            outcome.manifestCount += 1
            outcome.tagCount += remaining.count
        case .absent: break
        case .unsupported:
            throw DrayageError(.other, "the registry does not delete \(repository)@\(digest)")
        }
        for _ in 0...remaining.count { progress(.removed) }
    }

    /// Deletes a tag whose manifest goes too.
    ///
    /// - Returns: whether it is gone; false where it can only go with the manifest.
    private mutating func delete(_ tag: Tag, of digest: Digest) async throws -> Bool {
        guard tagDeletion.isSupported else { return false }
        subject = .tag(tag)
        guard try await isThere(tag, expected: digest) else { return true }
        switch try await client.deleteManifest(.tag(tag), in: repository) {
        case .deleted:
            outcome.tagCount += 1
            return true
        case .absent: return true
        case .unsupported:
            tagDeletion.noteUnsupported()
            return false
        }
    }

    // MARK: - Manifests that stay

    /// Removes a tag from a manifest that stays.
    ///
    /// To delete by the digest would take the manifest and all its tags; to delete by the tag takes the manifest on some
    /// registries, and is not known to others. So the tag is pointed at a manifest that nobody else can have, and goes
    /// with that.
    private mutating func unlink(_ tag: Tag, from digest: Digest?) async throws {
        subject = .tag(tag)
        if let digest { guard try await isThere(tag, expected: digest) else { return } }
        let throwAway = try Document.throwAway()
        let own = throwAway.descriptor.digest
        let name = ManifestTarget.tag(tag).name(in: repository)
        try await client.putManifest(throwAway, as: .tag(tag), in: repository)
        do {
            try await remove(throwAway, of: tag)
        } catch let error as CancellationError {
            throw error
        } catch {
            let left = "\(name) was pointed at the empty index \(own), from which the same command removes it"
            throw DrayageError(.other, left, underlying: error)
        }
        outcome.tagCount += 1
        guard let digest, try await head(.digest(digest)) == nil else { return }
        throw DrayageError(.unverified, "\(repository)@\(digest) is gone, which was to stay without the tag \(tag)")
    }

    /// Removes the manifest that a tag was pointed at, and the tag with it.
    private func remove(_ throwAway: Document, of tag: Tag) async throws {
        let own = throwAway.descriptor.digest
        guard try await head(.tag(tag)) == own else {
            throw DrayageError(.other, "the tag is at another manifest already")
        }
        guard try await client.deleteManifest(.digest(own), in: repository) != .unsupported else {
            throw DrayageError(.other, "the registry does not delete it")
        }
        guard try await head(.tag(tag)) == nil else {
            throw DrayageError(.other, "the tag is still there, although its manifest was deleted")
        }
    }

    /// Whether a tag is there; where it is, it must still be at the manifest that the plan says.
    private func isThere(_ tag: Tag, expected: Digest) async throws -> Bool {
        guard let actual = try await head(.tag(tag)) else { return false }
        guard actual == expected else {
            let name = ManifestTarget.tag(tag).name(in: repository)
            throw DrayageError(.other, "\(name) has been moved to \(actual) since the plan was made")
        }
        return true
    }

    private func head(_ target: ManifestTarget) async throws -> Digest? {
        try await client.headManifest(target, in: repository, for: .delete, types: .any)
    }
}
