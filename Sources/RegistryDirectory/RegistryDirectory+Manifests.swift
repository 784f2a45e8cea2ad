package import OCI

extension RegistryDirectory {
    /// The digests of all manifests and indexes of a repository; none where there is no such repository.
    package func manifests(in repository: RepositoryPath) throws(DirectoryError) -> [Digest] {
        var result: [Digest] = []
        for digest in try tree.digests(in: tree.paths.revisions(repository))
        where try hasManifest(digest, in: repository) { result.append(digest) }
        return result
    }

    /// The verified bytes of a manifest or an index; nil where the repository has no such one.
    ///
    /// - Throws: ``DirectoryError`` with `damaged` when the bytes are others, `tooLarge` when there are more than a
    ///   manifest may have, else with the system's reason.
    package func manifest(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> [UInt8]? {
        guard try tree.link(in: tree.paths.revision(digest, repository)) == digest else { return nil }
        return try manifestBytes(digest)
    }

    /// The verified bytes of a manifest or an index, whichever repository has it; nil where they are not there.
    ///
    /// - Throws: as ``manifest(_:in:)``.
    package func manifestBytes(_ digest: Digest) throws(DirectoryError) -> [UInt8]? {
        guard let file = try tree.openFile(tree.paths.data(digest)) else { return nil }
        try checkSize(file.byteCount, .reading, path: file.path)
        let bytes = try file.bytes(atMost: Document.byteLimit)
        let actual = try self.digest(of: bytes, digest.algorithm, .reading, path: file.path)
        guard actual == digest else {
            throw DirectoryError(.damaged(expected: digest, actual: actual), .reading, path: file.path)
        }
        return bytes
    }

    /// Stores a manifest or an index, and points tags at it, unless blobs are missing.
    ///
    /// - Parameters:
    ///   - bytes: the manifest.
    ///   - digest: its digest.
    ///   - tags: the tags that are to point at it.
    ///   - blobs: what the repository must have for it.
    ///   - repository: the repository.
    /// - Returns: the blobs that are missing, each once; when there is none, everything is stored, else nothing.
    /// - Throws: ``DirectoryError`` with `readOnly`, `tooLarge`, `wrongDigest`, `noSpace` or the system's reason.
    package func putManifest(
        _ bytes: [UInt8],
        digest: Digest,
        tags: [Tag],
        needing blobs: [Digest],
        in repository: RepositoryPath
    ) throws(DirectoryError) -> [Digest] {
        try checkAccess()
        let path = tree.paths.data(digest)
        try checkSize(Int64(bytes.count), .writing, path: path)
        let actual = try self.digest(of: bytes, digest.algorithm, .writing, path: path)
        guard actual == digest else {
            throw DirectoryError(.wrongDigest(expected: digest, actual: actual), .writing, path: path)
        }
        return try tree.changing(repository) { () throws(DirectoryError) in
            let missing = try missing(blobs, in: repository)
            guard missing.isEmpty else { return missing }
            try withStaging(in: repository) { staging throws(DirectoryError) in
                try store(bytes, digest, tags, repository, staging)
            }
            return []
        }
    }

    /// Removes a manifest or an index from a repository, and every tag that points at it.
    ///
    /// - Parameters:
    ///   - digest: the manifest.
    ///   - repository: the repository.
    /// - Returns: false when the repository had no such manifest.
    /// - Throws: ``DirectoryError`` with `readOnly` or the system's reason; then some of the tags may be gone.
    package func deleteManifest(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        try checkAccess()
        return try tree.changing(repository) { () throws(DirectoryError) in
            let revision = tree.paths.revision(digest, repository)
            guard try tree.link(in: revision) == digest else { return false }
            for tag in try presentTags(in: repository) {
                if try tree.link(in: tree.paths.current(tag, repository)) == digest {
                    try remove(tag, in: repository)
                } else {
                    tree.removeTree(tree.paths.index(tag, digest, repository))
                }
            }
            return try tree.removeLink(to: digest, in: revision)
        }
    }
}

extension RegistryDirectory {
    private func hasManifest(_ digest: Digest, in repository: RepositoryPath) throws(DirectoryError) -> Bool {
        guard try tree.link(in: tree.paths.revision(digest, repository)) == digest else { return false }
        return try tree.fileByteCount(tree.paths.data(digest)) != nil
    }

    private func digest(
        of bytes: [UInt8],
        _ algorithm: Digest.Algorithm,
        _ operation: DirectoryError.Operation,
        path: String
    ) throws(DirectoryError) -> Digest {
        do {
            return try Digest.of(bytes, algorithm: algorithm)
        } catch {
            throw DirectoryError(error, operation, path: path)
        }
    }

    private func checkSize(
        _ byteCount: Int64,
        _ operation: DirectoryError.Operation,
        path: String
    ) throws(DirectoryError) {
        guard byteCount > Document.byteLimit else { return }
        throw DirectoryError(.tooLarge(byteCount: byteCount, limit: Document.byteLimit), operation, path: path)
    }

    private func missing(_ blobs: [Digest], in repository: RepositoryPath) throws(DirectoryError) -> [Digest] {
        var seen: Set<Digest> = []
        var missing: [Digest] = []
        for blob in blobs where seen.insert(blob).inserted {
            if try !hasBlob(blob, in: repository) { missing.append(blob) }
        }
        return missing
    }

    /// Stores the bytes, then what says that the repository has them, then the tag: what is visible is always whole.
    private func store(
        _ bytes: [UInt8],
        _ digest: Digest,
        _ tags: [Tag],
        _ repository: RepositoryPath,
        _ staging: String
    ) throws(DirectoryError) {
        // Without it the other registry does not see a repository that has no layers.
        try tree.makeDirectory(tree.paths.layers(repository))
        var publication = Publication(tree, staging: staging)
        if let file = try tree.openFile(tree.paths.data(digest)), try file.bytes(atMost: bytes.count + 1) == bytes {
            try publication.add(present: "data", in: tree.paths.content(digest))
        } else {
            try publication.add(bytes, as: "data", in: tree.paths.content(digest))
        }
        try publication.add(linkTo: digest, in: tree.paths.revision(digest, repository))
        for tag in tags {
            try publication.add(linkTo: digest, in: tree.paths.index(tag, digest, repository))
            try publication.add(linkTo: digest, in: tree.paths.current(tag, repository))
        }
        try publication.publish()
    }
}
