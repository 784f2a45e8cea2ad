import OCI

/// Where docker-distribution's filesystem layout has things.
///
/// Every path is made from values that were checked when they were made, so that none leads out of the directory.
struct StoragePaths: Sendable {
    /// The registry's root directory.
    let root: String

    /// The names of which a repository's path may not have any.
    static let layers = "_layers"
    static let uploads = "_uploads"

    private var base: String { root + "/docker/registry/v2" }

    /// The directory of all repositories.
    var repositories: String { base + "/repositories" }

    func repository(_ repository: RepositoryPath) -> String { "\(repositories)/\(repository)" }

    // MARK: - Content

    /// The directory of a blob's or a manifest's bytes.
    func content(_ digest: Digest) -> String {
        "\(base)/blobs/\(digest.algorithm.rawValue)/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// The file of a blob's or a manifest's bytes.
    func data(_ digest: Digest) -> String { content(digest) + "/data" }

    // MARK: - Links

    func layers(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/\(Self.layers)" }

    func layer(_ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(layers(repository))/\(component(digest))"
    }

    func revisions(_ repository: RepositoryPath) -> String { "\(manifests(repository))/revisions" }

    func revision(_ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(revisions(repository))/\(component(digest))"
    }

    func tags(_ repository: RepositoryPath) -> String { "\(manifests(repository))/tags" }

    func tag(_ tag: Tag, _ repository: RepositoryPath) -> String { "\(tags(repository))/\(tag)" }

    func current(_ tag: Tag, _ repository: RepositoryPath) -> String { "\(self.tag(tag, repository))/current" }

    /// The directory of the link that says that the tag once pointed there.
    func index(_ tag: Tag, _ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(self.tag(tag, repository))/index/\(component(digest))"
    }

    // MARK: - Uploads

    func uploads(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/\(Self.uploads)" }

    func upload(_ id: UploadID, _ repository: RepositoryPath) -> String { "\(uploads(repository))/\(id)" }

    private func manifests(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/_manifests" }

    private func component(_ digest: Digest) -> String { "\(digest.algorithm.rawValue)/\(digest.hex)" }
}

/// The directory in which a path ends.
func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
