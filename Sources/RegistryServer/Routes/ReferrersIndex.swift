import OCI
import RegistryDirectory

/// What refers to what, by repository.
///
/// The layout on disk has no place for it, so it is read from all manifests of a repository when it is first asked for,
/// and kept. Only digests are kept.
actor ReferrersIndex {
    /// A repository of a store.
    struct Key: Hashable {
        /// Which part of the content; nil for all of it.
        let namespace: String?
        let repository: RepositoryPath
    }

    typealias Subjects = [Digest: Set<Digest>]

    private enum Entry {
        /// Being read, once for all who ask; with what is stored meanwhile.
        case reading(Task<Subjects, any Error>, stored: Subjects)
        case known(Subjects)
    }

    private var entries: [Key: Entry] = [:]

    /// The digests of all that refers to a subject.
    ///
    /// - Parameters:
    ///   - subject: what is referred to; it need not be there.
    ///   - key: where both are.
    ///   - read: reads what refers to what in that repository; empty for one that is not there.
    /// - Returns: the digests; of some the manifest may be gone since.
    /// - Throws: what reading throws.
    func referrers(
        of subject: Digest,
        in key: Key,
        read: @escaping @Sendable () async throws -> Subjects
    ) async throws -> Set<Digest> {
        if case .known(let subjects) = entries[key] { return subjects[subject] ?? [] }
        let task: Task<Subjects, any Error>
        if case .reading(let begun, _) = entries[key] {
            task = begun
        } else {
            // Not a child of this request: others wait for it too, and this one may go away.
            task = Task { try await read() }
            entries[key] = .reading(task, stored: [:])
        }
        let result = await task.result
        if case .reading(_, let stored) = entries[key] { end(key, result, stored) }
        if case .known(let subjects) = entries[key] { return subjects[subject] ?? [] }
        return try result.get()[subject] ?? []
    }

    private func end(_ key: Key, _ result: Result<Subjects, any Error>, _ stored: Subjects) {
        entries[key] = nil
        guard case .success(let read) = result else { return }
        let subjects = read.merging(stored) { $0.union($1) }
        // A name that is not there must not be kept: anyone can make up as many as they like.
        if !subjects.isEmpty { entries[key] = .known(subjects) }
    }

    /// Notes a manifest that has been stored.
    func add(_ digest: Digest, referringTo subject: Digest, in repository: RepositoryPath) {
        let key = Key(namespace: nil, repository: repository)
        switch entries[key] {
        case .known(var subjects):
            subjects[subject, default: []].insert(digest)
            entries[key] = .known(subjects)
        case .reading(let task, var stored):
            stored[subject, default: []].insert(digest)
            entries[key] = .reading(task, stored: stored)
        case nil: break
        }
    }
}

extension RegistryStore {
    /// Reads what refers to what in a repository.
    func subjects(in repository: RepositoryPath) throws -> ReferrersIndex.Subjects {
        var subjects: ReferrersIndex.Subjects = [:]
        for digest in try manifests(in: repository) {
            guard let bytes = try readableManifest(digest, in: repository) else { continue }
            // What is stored and cannot be read refers to nothing.
            guard let subject = try? ManifestFields(parsing: bytes).subject?.digest else { continue }
            subjects[subject, default: []].insert(digest)
        }
        return subjects
    }

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
