import OCI

extension RemovalRun {
    /// Removes tags, and what is left of tags.
    func removeTags(_ repository: Repository) {
        let path = repository.path
        remove(repository.tags, in: path, Subject.tag, count: \.tagCount) { tag throws(DirectoryError) in
            guard try directory.digest(of: tag, in: path) != nil else { return false }
            try directory.removeUnsynced(tag, in: path)
            return true
        }
        let ghosts = list(in: path) { () throws(DirectoryError) in try directory.ghostTags(in: path) }
        remove(ghosts, in: path, Subject.tag) { tag throws(DirectoryError) in
            try directory.removeUnsynced(tag, in: path)
            return true
        }
    }

    /// Removes manifests: first from the history of the tags that stay, as nobody looks there once they are gone.
    func removeManifests(_ repository: Repository) {
        let (path, digests) = (repository.path, Set(repository.manifests))
        let tags =
            digests.isEmpty ? [] : list(in: path) { () throws(DirectoryError) in try directory.presentTags(in: path) }
        remove(tags, in: path, Subject.tag) { tag throws(DirectoryError) in
            try tree.removeHistory(of: digests, tag, path)
            return true
        }
        remove(repository.manifests, in: path, Subject.manifest, count: \.manifestCount) {
            digest throws(DirectoryError) in
            try tree.removeLinkUnsynced(to: digest, in: tree.paths.revision(digest, path))
        }
        removeEmptyLinks(in: tree.paths.revisions(path), of: path)
    }

    /// Removes links to layers.
    func removeLayers(_ repository: Repository) {
        let path = repository.path
        remove(repository.layers, in: path, Subject.layer, count: \.layerCount) { digest throws(DirectoryError) in
            try tree.removeLinkUnsynced(to: digest, in: tree.paths.layer(digest, path))
        }
        removeEmptyLinks(in: tree.paths.layers(path), of: path)
    }

    private func removeEmptyLinks(in directory: String, of repository: RepositoryPath) {
        guard goesOn(in: repository) else { return }
        attempt(.repository, in: repository) { () throws(DirectoryError) in
            try tree.removeEmptyLinks(in: directory)
        }
    }

    /// Removes uploads, and what kills have left there.
    func removeUploads(_ repository: Repository) {
        let path = repository.path
        let uploads = tree.paths.uploads(path)
        let names = list(in: path) { () throws(DirectoryError) in try tree.names(in: uploads) ?? [] }
        remove(names, in: path, Subject.upload, count: \.uploadCount) { name throws(DirectoryError) in
            try directory.removeUpload(name, in: path)
        }
    }

    /// Removes a repository in which nothing is left.
    func removeDirectories(_ repository: Repository) {
        attempt(.repository, in: repository.path) { () throws(DirectoryError) in
            try tree.removeEmptyRepository(repository.path)
        } then: { wasThere, outcome in
            if wasThere { outcome.repositoryCount += 1 }
        }
    }
}
