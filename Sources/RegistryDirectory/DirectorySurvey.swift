package import OCI

/// All that a registry's directory holds, as far as names, links and sizes tell: no manifest has been read.
package struct DirectorySurvey: Sendable {
    /// The repositories, sorted by path.
    package internal(set) var repositories: [RepositorySurvey] = []
    /// Directories that hold the parts of a repository, and have a path that none can have: nobody can serve them.
    package internal(set) var foreign: [ForeignRepository] = []
    /// The size in bytes of everything below `blobs/` that is there: layers, configs and manifests alike.
    ///
    /// What is not of the layout, or of an unknown algorithm, is not in it.
    package internal(set) var blobs: [Digest: Int64] = [:]
    /// What is below the `_uploads` of the repositories: uploads under way, abandoned ones, and what a kill has left.
    package internal(set) var uploads: [StoredUpload] = []
    /// The most recently written of all blobs, links and uploads; nil where there is none.
    package internal(set) var youngest: WrittenFile?
    /// Directories outside of any repository that could not be read.
    ///
    /// What they hold, and what that needs, is unknown: while there is one, no blob can be known to be needed by nobody.
    package internal(set) var damage: [StorageDamage] = []
}

/// What one repository holds.
package struct RepositorySurvey: Sendable {
    /// The repository's path.
    package let path: RepositoryPath
    /// Whether a symbolic link leads to it, to a part of it or to a directory above it, or is on its own path.
    ///
    /// What is removed from it would then be missing elsewhere too, so it is to be left as it is.
    package internal(set) var isAliased: Bool
    /// What each tag points at; that need not be there.
    package internal(set) var tags: [Tag: Digest] = [:]
    /// The tags of which there is a directory without a current link, as a kill leaves them.
    ///
    /// They are no tags, but a `docker-registry` lists them.
    package internal(set) var ghostTags: Set<Tag> = []
    /// The manifests and indexes that it has.
    package internal(set) var manifests: Set<Digest> = []
    /// The manifests and indexes to which it has a link, and whose bytes are gone.
    package internal(set) var danglingManifests: Set<Digest> = []
    /// The layers and configs to which it has a link.
    ///
    /// Of some the bytes may be gone; ``DirectorySurvey/blobs`` tells. Such a link is good for nothing, and an image that
    /// needs it was broken before.
    package internal(set) var layers: Set<Digest> = []
    /// What is not as the layout has it, or could not be read.
    package internal(set) var damage: [StorageDamage] = []

    init(path: RepositoryPath, isAliased: Bool) {
        self.path = path
        self.isAliased = isAliased
    }
}

/// A directory with the parts of a repository under a path that no repository can have.
package struct ForeignRepository: Sendable {
    /// The path below `repositories/`, as it can be printed.
    package let path: String
    /// Everything that its tags, its manifests and its layers name.
    package let digests: Set<Digest>
    /// What is not as the layout has it, or could not be read.
    package let damage: [StorageDamage]
}

/// Something in the directory of a registry that is not as the layout has it, or could not be read.
package struct StorageDamage: Hashable, Sendable, CustomStringConvertible {
    /// What is concerned.
    package enum Subject: Hashable, Sendable {
        /// A tag: what it points at is unknown.
        case tag(Tag)
        /// The link to a manifest, or whether its bytes are there.
        case manifest(Digest)
        /// The link to a layer or a config.
        case layer(Digest)
        /// Something under a name that is no tag and no digest, or is no directory.
        case name
        /// A directory: what is in it is unknown.
        case directory
    }

    /// What is concerned.
    package let subject: Subject
    /// The file or the directory.
    package let path: String
    /// What is wrong with it.
    package let reason: String

    init(_ subject: Subject, path: String, _ reason: String) {
        self.subject = subject
        self.path = path
        self.reason = reason
    }

    /// Describes what could not be read.
    init(_ subject: Subject, _ error: DirectoryError) {
        self.init(subject, path: error.path, error.cause)
    }

    /// One line: the path and what is wrong.
    package var description: String { "\(path.printable): \(reason)" }
}

/// A directory in which an upload is, or was.
package struct StoredUpload: Hashable, Sendable {
    /// The repository.
    package let repository: RepositoryPath
    /// Its name; not always a UUID.
    package let id: String
    /// When it was last written to, as time since 1970.
    ///
    /// It is nil where there is nothing of an upload in it: a removal that was killed has left it, and nobody writes.
    package let lastWrite: Duration?
}

/// A file and when it was written.
package struct WrittenFile: Hashable, Sendable {
    /// The file.
    package let path: String
    /// When it was last written to, as time since 1970.
    package let time: Duration
}
