import OCI
import RegistryDirectory
import Synchronization

/// What refers to what, by repository.
///
/// The layout on disk has no place for it, so it is read from all manifests of a repository when it is first asked for,
/// and kept. Only digests are kept.
final class ReferrersIndex: Sendable {
    private struct Key: Hashable {
        let namespace: String?
        let repository: RepositoryPath
    }

    private let known = Mutex<[Key: [Digest: Set<Digest>]]>([:])

    /// The digests of all that refers to a subject, in the order of digests.
    ///
    /// - Parameters:
    ///   - subject: what is referred to; it need not be there.
    ///   - repository: where both are.
    ///   - store: where the manifests are read.
    ///   - namespace: which store that is.
    /// - Returns: the digests; of some the manifest may be gone since.
    /// - Throws: what the store throws.
    func referrers(
        of subject: Digest,
        in repository: RepositoryPath,
        of store: any RegistryStore,
        namespace: String?
    ) throws -> [Digest] {
        let key = Key(namespace: namespace, repository: repository)
        return try known.withLock { known in
            if let subjects = known[key] { return subjects[subject]?.sorted() ?? [] }
            var subjects: [Digest: Set<Digest>] = [:]
            let manifests = try store.manifests(in: repository)
            for digest in manifests {
                guard let bytes = try store.readableManifest(digest, in: repository) else { continue }
                // What is stored and cannot be read refers to nothing.
                guard let subject = try? ManifestFields(parsing: bytes).subject?.digest else { continue }
                subjects[subject, default: []].insert(digest)
            }
            // A name that is not there must not be kept: anyone can make up as many as they like.
            if !manifests.isEmpty { known[key] = subjects }
            return subjects[subject]?.sorted() ?? []
        }
    }

    /// Notes a manifest that has been stored.
    func add(_ digest: Digest, referringTo subject: Digest, in repository: RepositoryPath) {
        // Where nothing has been asked yet, reading will find it.
        known.withLock { _ = $0[Key(namespace: nil, repository: repository)]?[subject, default: []].insert(digest) }
    }
}

extension RegistryStore {
    /// The bytes of a manifest; nil also where its file went bad: one referrer must not hide all others.
    func readableManifest(_ digest: Digest, in repository: RepositoryPath) throws -> [UInt8]? {
        do {
            return try manifest(digest, in: repository)
        } catch let error as DirectoryError {
            switch error.code {
            case .damaged, .tooLarge: return nil
            default: throw error
            }
        }
    }
}
