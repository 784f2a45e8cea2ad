import OCI

/// Where docker-distribution's filesystem layout has things.
///
/// Every path is made from values that were checked when they were made, so that none leads out of the directory.
struct StoragePaths: Sendable {
    /// The registry's root directory.
    let root: String

    /// The names of which a repository's path may not have any: its parts.
    static let layers = "_layers"
    static let manifests = "_manifests"
    static let uploads = "_uploads"
    static let parts = [layers, manifests, uploads]

    /// The parts of `_manifests`.
    static let revisions = "revisions"
    static let tags = "tags"

    private var base: String { root + "/docker/registry/v2" }

    /// The directory of all repositories.
    var repositories: String { base + "/repositories" }

    func repository(_ repository: RepositoryPath) -> String { "\(repositories)/\(repository)" }

    // MARK: - Content

    /// The directory of all blobs.
    var blobs: String { base + "/blobs" }

    func blobs(_ algorithm: Digest.Algorithm) -> String { "\(blobs)/\(algorithm.rawValue)" }

    /// The directory of a blob's or a manifest's bytes.
    func content(_ digest: Digest) -> String {
        "\(blobs(digest.algorithm))/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// The file of a blob's or a manifest's bytes.
    func data(_ digest: Digest) -> String { content(digest) + "/data" }

    // MARK: - Links

    func layers(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/\(Self.layers)" }

    func layer(_ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(layers(repository))/\(Self.component(digest))"
    }

    func manifests(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/\(Self.manifests)" }

    func revisions(_ repository: RepositoryPath) -> String { "\(manifests(repository))/\(Self.revisions)" }

    func revision(_ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(revisions(repository))/\(Self.component(digest))"
    }

    func tags(_ repository: RepositoryPath) -> String { "\(manifests(repository))/\(Self.tags)" }

    func tag(_ tag: Tag, _ repository: RepositoryPath) -> String { "\(tags(repository))/\(tag)" }

    func current(_ tag: Tag, _ repository: RepositoryPath) -> String { "\(self.tag(tag, repository))/current" }

    func index(_ tag: Tag, _ repository: RepositoryPath) -> String { "\(self.tag(tag, repository))/index" }

    /// The directory of the link that says that the tag once pointed there.
    func index(_ tag: Tag, _ digest: Digest, _ repository: RepositoryPath) -> String {
        "\(index(tag, repository))/\(Self.component(digest))"
    }

    // MARK: - Uploads

    func uploads(_ repository: RepositoryPath) -> String { "\(self.repository(repository))/\(Self.uploads)" }

    func upload(_ id: UploadID, _ repository: RepositoryPath) -> String { "\(uploads(repository))/\(id)" }

    // MARK: - Directories

    /// The directories that a repository has for what is in it, those within others first.
    func structure(of repository: RepositoryPath) -> [String] {
        let (revisions, layers) = (revisions(repository), layers(repository))
        let links = Digest.Algorithm.allCases.flatMap { ["\(revisions)/\($0.rawValue)", "\(layers)/\($0.rawValue)"] }
        return links + [revisions, tags(repository), manifests(repository), layers, uploads(repository)]
    }

    /// Where a digest is among others.
    static func component(_ digest: Digest) -> String { "\(digest.algorithm.rawValue)/\(digest.hex)" }
}

/// The directory in which a path ends.
func parentDirectory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}
