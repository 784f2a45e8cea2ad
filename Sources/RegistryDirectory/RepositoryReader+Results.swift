import OCI

extension RepositoryReader {
    /// Everything that it names.
    var digests: Set<Digest> {
        var digests = manifests.union(danglingManifests).union(layers).union(tags.values)
        for item in damage {
            switch item.subject {
            case .manifest(let digest), .layer(let digest): digests.insert(digest)
            case .tag, .name, .directory: continue
            }
        }
        return digests
    }

    /// What it has, for a repository of that path.
    func survey(of path: RepositoryPath, isAliased: Bool) -> RepositorySurvey {
        var survey = RepositorySurvey(path: path, isAliased: isAliased || !symbolicLinks.isEmpty)
        survey.tags = tags
        survey.ghostTags = ghostTags
        survey.manifests = manifests
        survey.danglingManifests = danglingManifests
        survey.layers = layers
        survey.damage = damage
        return survey
    }
}
