package import OCI
package import RegistryDirectory

/// What a registry serves: repositories with tags, manifests and blobs.
///
/// Every call may block.
package protocol RegistryStore: Sendable {
    /// All repositories, sorted.
    func repositories() throws -> [RepositoryPath]

    /// The tags of a repository, sorted; nil where there is no such repository.
    func tags(in repository: RepositoryPath) throws -> [Tag]?

    /// What a tag points at; nil where there is no such tag.
    func digest(of tag: Tag, in repository: RepositoryPath) throws -> Digest?

    /// The digests of all manifests and indexes of a repository, in no order; none where there is no such repository.
    func manifests(in repository: RepositoryPath) throws -> [Digest]

    /// The verified bytes of a manifest or an index; nil where the repository has no such one.
    func manifest(_ digest: Digest, in repository: RepositoryPath) throws -> [UInt8]?

    /// Opens a blob; nil where the repository has no such one.
    func blob(_ digest: Digest, in repository: RepositoryPath) throws -> OpenBlob?
}

extension RegistryDirectory: RegistryStore {}
