extension RegistryContents {
    /// Notes as damage what of the kept images is gone: their manifests, and with them what these need is unknown.
    ///
    /// - Parameter kept: what stays, in the order of the repositories.
    /// - Returns: whether anything was noted that had not been before.
    mutating func note(brokenIn kept: [KeepSet.Kept]) -> Bool {
        var hasNew = false
        for index in repositories.indices where !repositories[index].danglingManifests.isEmpty {
            let known = Set(repositories[index].damage)
            let found = repositories[index].broken(kept[index]).filter { !known.contains($0) }
            repositories[index].damage += found.sorted()
            hasNew = hasNew || !found.isEmpty
        }
        return hasNew
    }

    /// What is missing of the images of a repository that stay, and cannot be pulled therefore.
    func missingBlobs(of repository: Repository, kept: KeepSet.Kept) -> [String] {
        guard isStorage else { return [] }
        return kept.manifests.keys.sorted().flatMap { digest in
            (repository.manifests[digest]?.needs ?? []).filter { $0.kind == .blob && blobs[$0.digest] == nil }.map {
                "\(repository.path)@\(digest) lacks its blob \($0.digest); push the image again"
            }
        }
    }
}

extension RegistryContents.Repository {
    fileprivate func broken(_ kept: KeepSet.Kept) -> [String] {
        let ofTags = kept.tags.keys.compactMap { tag -> String? in
            guard let digest = tags[tag], danglingManifests.contains(digest) else { return nil }
            return "\(path):\(tag): the bytes of its manifest \(digest) are gone; push the image again"
        }
        let ofIndexes = kept.manifests.keys.flatMap { digest in
            (manifests[digest]?.needs ?? []).filter { danglingManifests.contains($0.digest) }.map {
                "\(path)@\(digest): the bytes of its manifest \($0.digest) are gone; push the image again"
            }
        }
        return ofTags + ofIndexes
    }
}
