package import OCI

extension RegistryDirectory {
    /// Opens a blob; nil where the repository has no such one.
    ///
    /// - Throws: ``DirectoryError`` with the system's reason. A link that is damaged is no link.
    package func blob(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> OpenBlob? {
        guard try tree.link(in: tree.paths.layer(digest, repository)) == digest,
            let file = try tree.openFile(tree.paths.data(digest))
        else { return nil }
        return OpenBlob(file.descriptor, byteCount: try file.byteCount)
    }

    /// Whether a repository has a blob.
    package func hasBlob(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        guard try tree.link(in: tree.paths.layer(digest, repository)) == digest else { return false }
        return try tree.fileByteCount(tree.paths.data(digest)) != nil
    }

    /// Gives a repository a blob that another has.
    ///
    /// - Parameters:
    ///   - digest: the blob.
    ///   - source: the repository that must have it; nil where it is enough that the registry has the bytes.
    ///   - repository: the repository that gets it.
    /// - Returns: false when there is no such blob to mount.
    /// - Throws: ``DirectoryError`` with `readOnly`, `noSpace` or the system's reason.
    package func mountBlob(
        _ digest: Digest,
        from source: RepositoryPath?,
        into repository: RepositoryPath
    ) throws(DirectoryError) -> Bool {
        try checkAccess()
        if let source {
            guard try hasBlob(digest, in: source) else { return false }
        } else {
            guard try tree.fileByteCount(tree.paths.data(digest)) != nil else { return false }
        }
        try tree.changing(repository) { () throws(DirectoryError) in
            try withStaging(in: repository) { staging throws(DirectoryError) in
                var publication = Publication(tree, staging: staging)
                try publication.add(linkTo: digest, in: tree.paths.layer(digest, repository))
                try publication.publish()
            }
        }
        return true
    }

    /// Takes a blob from a repository; the bytes stay, as others may have them.
    ///
    /// - Parameters:
    ///   - digest: the blob.
    ///   - repository: the repository.
    /// - Returns: false when the repository had no such blob.
    /// - Throws: ``DirectoryError`` with `readOnly` or the system's reason.
    package func deleteBlob(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        try checkAccess()
        return try tree.changing(repository) { () throws(DirectoryError) in
            try tree.removeLink(to: digest, in: tree.paths.layer(digest, repository))
        }
    }
}
