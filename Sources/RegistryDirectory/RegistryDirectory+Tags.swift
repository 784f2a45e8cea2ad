import Glibc
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
        try tree.makeDirectory(tree.paths.uploads(repository))
        try removeAtOnce(tag, in: repository) { () throws(DirectoryError) in
            try tree.sync(directory: tree.paths.tags(repository))
        }
    }

    /// Removes a tag without waiting for the disk.
    func removeUnsynced(_ tag: Tag, in repository: RepositoryPath) throws(DirectoryError) {
        let uploads = tree.paths.uploads(repository)
        do throws(DirectoryError) {
            guard unsafe mkdir(uploads, 0o777) == 0 || errno == EEXIST else {
                throw DirectoryError("making it", .writing, path: uploads)
            }
            try removeAtOnce(tag, in: repository)
        } catch {
            guard error.isOfSpace else { throw error }
            // To come by space is what removals are for. Without a directory to move it to, the tag goes first.
            _ = try tree.removeFile(tree.paths.current(tag, repository) + "/link")
            tree.removeTree(tree.paths.tag(tag, repository))
        }
    }

    /// The tags that have a directory and no current link, in no order.
    func ghostTags(in repository: RepositoryPath) throws(DirectoryError) -> [Tag] {
        var result: [Tag] = []
        for entry in try tree.entries(in: tree.paths.tags(repository)) ?? [] where entry.kind == .directory {
            guard let tag = try? Tag(parsing: entry.name) else { continue }
            if try tree.ownStatus(of: tree.paths.current(tag, repository) + "/link") == nil { result.append(tag) }
        }
        return result
    }

    /// Removes a tag of a repository that has a directory for uploads.
    ///
    /// - Parameters:
    ///   - tag: the tag.
    ///   - repository: the repository.
    ///   - hasGone: is run when the tag is gone, and its files are not yet.
    /// - Throws: ``DirectoryError`` with the system's reason, or what `hasGone` throws.
    func removeAtOnce(
        _ tag: Tag,
        in repository: RepositoryPath,
        then hasGone: () throws(DirectoryError) -> Void = {}
    ) throws(DirectoryError) {
        let id = UploadID.random()
        sessions.reserve(id)
        defer { sessions.release(id) }
        let removed = tree.paths.upload(id, repository)
        try tree.move(tree.paths.tag(tag, repository), to: removed)
        defer { tree.removeTree(removed) }
        try hasGone()
    }
}
