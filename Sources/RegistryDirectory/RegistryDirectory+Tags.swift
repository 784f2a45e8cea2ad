package import OCI

extension RegistryDirectory {
    /// The tags of a repository, sorted; nil where there is no such repository.
    ///
    /// A directory whose link cannot be read as one is no tag. The other registry keeps an index that it was given first
    /// without a directory for layers; it does not list such a repository, but answers for it.
    package func tags(in repository: RepositoryPath) throws(DirectoryError) -> [Tag]? {
        let hasLayers = try tree.isDirectory(tree.paths.layers(repository))
        let hasTags = try tree.isDirectory(tree.paths.tags(repository))
        guard hasLayers || hasTags else { return nil }
        var result: [Tag] = []
        for tag in try presentTags(in: repository) where try digest(of: tag, in: repository) != nil {
            result.append(tag)
        }
        return result.sorted()
    }

    /// What a tag points at; nil where there is no such tag.
    package func digest(of tag: Tag, in repository: RepositoryPath) throws(DirectoryError) -> Digest? {
        try tree.link(in: tree.paths.current(tag, repository))
    }

    /// Removes a tag; what it points at stays.
    ///
    /// - Parameters:
    ///   - tag: the tag.
    ///   - repository: the repository.
    /// - Returns: false when there was no such tag.
    /// - Throws: ``DirectoryError`` with `readOnly` or the system's reason.
    package func deleteTag(_ tag: Tag, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        try checkAccess()
        return try tree.changing(repository) { () throws(DirectoryError) in
            guard try digest(of: tag, in: repository) != nil else { return false }
            try remove(tag, in: repository)
            return true
        }
    }

    /// The tags that have a directory, in no order.
    func presentTags(in repository: RepositoryPath) throws(DirectoryError) -> [Tag] {
        (try tree.names(in: tree.paths.tags(repository)) ?? []).compactMap { try? Tag(parsing: $0) }
    }

    /// Removes a tag with its history at once: its directory is moved to where left-overs are looked for.
    ///
    /// The other registry lists a tag as long as there is its directory, even without a link in it.
    func remove(_ tag: Tag, in repository: RepositoryPath) throws(DirectoryError) {
        let id = UploadID.random()
        sessions.reserve(id)
        defer { sessions.release(id) }
        try tree.makeDirectory(tree.paths.uploads(repository))
        let removed = tree.paths.upload(id, repository)
        try tree.move(tree.paths.tag(tag, repository), to: removed)
        defer { tree.removeTree(removed) }
        try tree.sync(directory: tree.paths.tags(repository))
    }
}
