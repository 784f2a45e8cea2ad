/// What a prune takes from a registry and what it leaves, and why.
///
/// It is made before anything is removed, can be kept as JSON, and carries everything that its execution needs.
public struct PrunePlan: Sendable, Codable {
    /// What becomes of something.
    public enum Action: String, Sendable, Codable {
        case keep
        case remove
    }

    /// A tag.
    public struct TagEntry: Sendable, Codable {
        /// The tag.
        public let tag: Tag
        /// What it points at; nil where that cannot be read.
        public let digest: Digest?
        /// What becomes of it.
        public let action: Action
        /// Why.
        public let reason: String
    }

    /// A manifest or an index.
    public struct ManifestEntry: Sendable, Codable {
        /// Its digest.
        public let digest: Digest
        /// Its size in bytes.
        public let byteCount: Int64
        /// What becomes of it.
        public let action: Action
        /// Why.
        public let reason: String
    }

    /// A blob.
    public struct BlobEntry: Sendable, Codable {
        /// Its digest.
        public let digest: Digest
        /// Its size in bytes.
        public let byteCount: Int64
    }

    /// A repository.
    public struct Repository: Sendable, Codable {
        /// Its path on the registry.
        public let repository: RepositoryPath
        /// Whether nothing of it stays.
        public let isRemoved: Bool
        /// Its tags, sorted.
        public let tags: [TagEntry]
        /// Its manifests and indexes, in the order in which they can be removed: what needs or refers to another comes
        /// before it.
        public let manifests: [ManifestEntry]
        /// The blobs to which it loses its link, sorted: of a storage directory alone.
        public let layers: [Digest]

        /// How many abandoned uploads go: of a storage directory alone.
        public let uploadCount: Int

        init(
            repository: RepositoryPath,
            isRemoved: Bool,
            tags: [TagEntry],
            manifests: [ManifestEntry],
            layers: [Digest] = [],
            uploadCount: Int = 0
        ) {
            self.repository = repository
            self.isRemoved = isRemoved
            self.tags = tags
            self.manifests = manifests
            self.layers = layers
            self.uploadCount = uploadCount
        }

        /// The tags that go.
        var removedTags: [TagEntry] { tags.filter { $0.action == .remove } }
        /// The manifests that go, in the order in which they can.
        var removedManifests: [ManifestEntry] { manifests.filter { $0.action == .remove } }
        /// What is left of it when the plan is carried out; nil for nothing.
        fileprivate var carriedOut: Repository? {
            guard !isRemoved else { return nil }
            let kept = (tags.filter { $0.action == .keep }, manifests.filter { $0.action == .keep })
            return Repository(repository: repository, isRemoved: false, tags: kept.0, manifests: kept.1)
        }

        /// Whether anything of it goes.
        var isChanged: Bool {
            isRemoved || uploadCount > 0 || !layers.isEmpty || !removedTags.isEmpty || !removedManifests.isEmpty
        }
    }

    /// A required image that the registry does not have.
    public struct MissingImage: Sendable, Codable {
        /// The image, as it was required.
        public let reference: String
        /// Where it was required: `required.txt:3`.
        public let place: String
        /// What was looked for: `library/app:1.0`.
        public let candidates: [String]
    }

    /// The version of this schema.
    public private(set) var schema = PrunePlan.currentSchema
    /// The registry with its prefix, or the absolute path of the storage directory.
    public let target: String
    /// The repositories that may be touched, sorted.
    public let repositories: [Repository]
    /// The blobs that go, sorted: of a storage directory alone.
    public let blobs: [BlobEntry]
    /// The bytes that come free: of a storage directory exactly, of a registry at most, and after its own garbage
    /// collection.
    public let freedByteCount: Int64
    /// The required images that are not there.
    public let missing: [MissingImage]
    /// What could not be read, so that what it might need stays.
    public let problems: [String]

    static let currentSchema = "dev.drayage.prune-plan.v1"

    init(
        target: String,
        repositories: [Repository],
        blobs: [BlobEntry],
        freedByteCount: Int64,
        missing: [MissingImage],
        problems: [String]
    ) {
        self.target = target
        self.repositories = repositories
        self.blobs = blobs
        self.freedByteCount = freedByteCount
        self.missing = missing
        self.problems = problems
    }

    /// The plan as it is left when it has been carried out but for some of the repositories.
    func limited(to paths: Set<RepositoryPath>) -> PrunePlan {
        PrunePlan(
            target: target,
            repositories: repositories.compactMap { paths.contains($0.repository) ? $0 : $0.carriedOut },
            blobs: blobs,
            freedByteCount: freedByteCount,
            missing: missing,
            problems: problems
        )
    }

    /// Whether nothing goes.
    public var isEmpty: Bool { blobs.isEmpty && !repositories.contains(where: \.isChanged) }
}

extension PrunePlan {
    /// How many tags, manifests and blobs go.
    var removalCount: Int {
        repositories.reduce(blobs.count) { $0 + $1.removedTags.count + $1.removedManifests.count }
    }

    /// Whether something goes, and no image stays of all that may be touched.
    var leavesNothing: Bool {
        let goes =
            !blobs.isEmpty || repositories.contains { !$0.removedTags.isEmpty || !$0.removedManifests.isEmpty }
        return goes
            && repositories.allSatisfy {
                $0.removedTags.count == $0.tags.count && $0.removedManifests.count == $0.manifests.count
            }
    }
}
