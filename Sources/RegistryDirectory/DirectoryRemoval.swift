package import OCI

/// What is to be removed from a registry's directory.
package struct DirectoryRemoval: Sendable {
    /// What one repository loses.
    package struct Repository: Sendable {
        /// The repository.
        package let path: RepositoryPath
        /// The tags that go.
        package var tags: [Tag]
        /// The manifests and indexes that go, dangling ones too, in the order in which they are to go.
        package var manifests: [Digest]
        /// The layers and configs to which it loses its link.
        package var layers: [Digest]
        /// Whether its directory goes as well, once nothing is in it.
        package var isWhole: Bool

        /// Describes what goes; without anything only what kills have left in the repository does.
        package init(
            _ path: RepositoryPath,
            tags: [Tag] = [],
            manifests: [Digest] = [],
            layers: [Digest] = [],
            isWhole: Bool = false
        ) {
            self.path = path
            self.tags = tags
            self.manifests = manifests
            self.layers = layers
            self.isWhole = isWhole
        }
    }

    /// The repositories that are changed.
    package var repositories: [Repository]
    /// The blobs that go, manifests among them; nothing that stays may need one.
    package var blobs: [Digest]

    /// Describes what goes.
    package init(repositories: [Repository] = [], blobs: [Digest] = []) {
        self.repositories = repositories
        self.blobs = blobs
    }
}

/// What a removal has done.
package struct RemovalOutcome: Sendable {
    /// Something that could not be removed.
    package struct Failure: Sendable, CustomStringConvertible {
        /// What it is.
        package enum Subject: Hashable, Sendable {
            case tag(Tag)
            case manifest(Digest)
            case layer(Digest)
            case blob(Digest)
            /// What is among the uploads of the repository under that name.
            case upload(String)
            /// The directory of the repository, or what kills have left in it.
            case repository
            /// Nothing but the wait until everything is on disk.
            case sync
        }

        /// What could not be removed.
        package let subject: Subject
        /// The repository that it is in; nil for a blob and for the wait.
        package let repository: RepositoryPath?
        /// Why, and at which path.
        package let error: DirectoryError

        /// One line: what, where and why.
        package var description: String { "\(name)\(error)" }

        private var name: String {
            let place = repository.map(\.description) ?? ""
            return switch subject {
            case .tag(let tag): "\(place):\(tag): "
            case .manifest(let digest): "\(place)@\(digest): "
            case .layer(let digest): "\(place), layer \(digest): "
            case .blob(let digest): "blob \(digest): "
            case .upload, .repository: "\(place): "
            case .sync: ""
            }
        }
    }

    /// How many tags were removed.
    package internal(set) var tagCount = 0
    /// How many manifests and indexes were removed from their repositories.
    package internal(set) var manifestCount = 0
    /// How many links to layers and configs were removed.
    package internal(set) var layerCount = 0
    /// How many blobs were removed, manifests among them.
    package internal(set) var blobCount = 0
    /// How many bytes these blobs had.
    package internal(set) var freedByteCount: Int64 = 0
    /// How many abandoned uploads were removed.
    package internal(set) var uploadCount = 0
    /// How many repositories are gone.
    package internal(set) var repositoryCount = 0
    /// What could not be removed.
    package internal(set) var failures: [Failure] = []
    /// Whether the blobs were left alone, as something that could not be removed may need them.
    package internal(set) var hasKeptBlobs = false
    /// Whether it was stopped before its end: as it was asked to, or as nothing could be brought to disk.
    package internal(set) var wasStopped = false
}
