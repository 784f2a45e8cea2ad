/// What a registry holds, as far as a plan needs to know it: read from its API or from its storage directory.
struct RegistryContents: Sendable {
    /// One repository.
    struct Repository: Sendable {
        /// Its path on the registry.
        let path: RepositoryPath
        /// What each tag points at; it may be a manifest that is not there, or that cannot be read.
        var tags: [Tag: Digest] = [:]
        /// The manifests and indexes that are there and could be read.
        ///
        /// Of a storage directory all, of an API those that can be reached: an API does not list what has no tag.
        var manifests: [Digest: ManifestFacts] = [:]
        /// The manifests that are linked and whose bytes are gone; of a storage directory alone.
        var danglingManifests: Set<Digest> = []
        /// The manifests that are there and cannot be read.
        var damagedManifests: Set<Digest> = []
        /// The tags that are there and whose digest cannot be read.
        var damagedTags: Set<Tag> = []
        /// The tags that are listed and point nowhere, as a broken write leaves them.
        ///
        /// They are no tags, but a registry lists them.
        var ghostTags: Set<Tag> = []
        /// The blobs that the repository has a link to; empty where an API is asked, which lists none.
        var layers: Set<Digest> = []
        /// How many uploads there are that nobody writes to any more; of a storage directory alone.
        var uploadCount = 0
        /// What is wrong in it: each item says on what, and why.
        ///
        /// Where anything is, nobody knows what is needed: no manifest and no blob of the repository may go.
        var damage: [String] = []
        /// Why the repository is left as it is; nil where it may be changed.
        var isLeftAlone: String?

        init(path: RepositoryPath) { self.path = path }
    }

    /// Whether they are those of a storage directory, and complete.
    let isStorage: Bool
    /// Whether all repositories were read, so that what belongs to none of their manifests belongs to nothing.
    var isComplete = true
    /// The repositories, sorted by path.
    var repositories: [Repository] = []
    /// The blobs and manifests in the storage with their sizes; empty where an API is asked.
    var blobs: [Digest: Int64] = [:]
    /// The blobs that something beyond the repositories may need.
    var pinnedBlobs: Set<Digest> = []
    /// The repositories that could not be read, so that nobody knows what they have; each is one of the problems.
    var unreadable: Set<RepositoryPath> = []
    /// What is wrong outside the repositories above, or keeps one from being read.
    var problems: [Report.Failure] = []

    init(isStorage: Bool) { self.isStorage = isStorage }
}
