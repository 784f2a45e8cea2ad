extension PrunePlan {
    /// What would be taken from something that stays, were the plan carried out on the registry as it is now.
    ///
    /// It does not ask how the plan was made: whatever is in the registry and not in the plan stays, and must stay whole.
    ///
    /// - Parameter contents: the registry as it is now.
    /// - Returns: a line for each thing that stands against it; none where the plan is safe.
    func conflicts(with contents: RegistryContents) -> [String] {
        let planned = Dictionary(repositories.map { ($0.repository, $0) }, uniquingKeysWith: { first, _ in first })
        var result: [String] = []
        for repository in contents.repositories {
            guard let plan = planned[repository.path], plan.isChanged else { continue }
            result += plan.conflicts(with: repository)
        }
        return result + blobConflicts(with: contents, planned)
    }

    /// The blobs that go although something in the whole storage needs them.
    private func blobConflicts(
        with contents: RegistryContents,
        _ planned: [RepositoryPath: Repository]
    ) -> [String] {
        let going = Set(blobs.map(\.digest))
        guard !going.isEmpty else { return [] }
        var result = going.intersection(contents.pinnedBlobs).sorted().map { "the blob \($0) is needed now" }
        for repository in contents.repositories {
            let plan = planned[repository.path]
            let removed = Set(plan?.removedManifests.map(\.digest) ?? [])
            let unlinked = Set(plan?.layers ?? [])
            for (digest, facts) in repository.manifests where !removed.contains(digest) {
                for need in [digest] + facts.needs.map(\.digest) where going.contains(need) {
                    result.append("\(repository.path)@\(digest) needs the blob \(need) now")
                }
            }
            for digest in repository.damagedManifests.intersection(going) {
                result.append("\(repository.path)@\(digest) cannot be read, and is to lose its blob")
            }
            for layer in repository.layers.subtracting(unlinked).intersection(going) {
                result.append("\(repository.path) has the blob \(layer) now")
            }
        }
        return result
    }
}

extension PrunePlan.Repository {
    /// What stands against taking the plan's part from a repository as it is now.
    func conflicts(with current: RegistryContents.Repository) -> [String] {
        if let reason = current.isLeftAlone { return ["\(repository): \(reason)"] }
        let goingTags = Dictionary(removedTags.map { ($0.tag, $0.digest) }, uniquingKeysWith: { first, _ in first })
        let goingManifests = Set(removedManifests.map(\.digest))
        let goingLayers = Set(layers)
        var result: [String] = []
        for (tag, digest) in current.tags {
            if let planned = goingTags[tag] {
                guard planned != digest else { continue }
                let old = planned.map { ", not \($0) any more" } ?? ""
                result.append("\(repository):\(tag) points at \(digest)\(old)")
            } else if goingManifests.contains(digest) {
                result.append("\(repository):\(tag) points at \(digest), which is to go")
            } else if isRemoved {
                result.append("\(repository):\(tag) is new")
            }
        }
        for (digest, facts) in current.manifests where !goingManifests.contains(digest) {
            if isRemoved { result.append("\(repository)@\(digest) is new") }
            for need in facts.needs where goingManifests.contains(need.digest) || goingLayers.contains(need.digest) {
                result.append("\(repository)@\(digest) needs \(need.digest), which is to go")
            }
        }
        if isRemoved {
            result += current.layers.subtracting(layers).sorted().map { "\(repository) has the blob \($0) now" }
        }
        let isUncertain = !current.damage.isEmpty && (isRemoved || !goingManifests.isEmpty || !layers.isEmpty)
        return result + (isUncertain ? current.damage : [])
    }
}
