import OCI

/// One removal, while it is carried out.
final class RemovalRun {
    typealias Repository = DirectoryRemoval.Repository
    typealias Subject = RemovalOutcome.Failure.Subject

    let directory: RegistryDirectory
    private(set) var outcome = RemovalOutcome()
    private let isCancelled: () -> Bool
    /// The repositories in which something could not be removed.
    private var failed: Set<RepositoryPath> = []

    var tree: StorageTree { directory.tree }

    init(_ directory: RegistryDirectory, isCancelled: @escaping () -> Bool) {
        self.directory = directory
        self.isCancelled = isCancelled
    }

    /// Removes everything, part by part.
    func carryOut(_ removal: DirectoryRemoval) {
        inEach(removal.repositories) { $0.check($1) }
        inEach(removal.repositories) { $0.removeTags($1) }
        sync()
        inEach(removal.repositories) { $0.removeManifests($1) }
        sync()
        inEach(removal.repositories) { $0.removeLayers($1) }
        sync()
        removeBlobs(removal.blobs)
        inEach(removal.repositories) { $0.removeUploads($1) }
        inEach(removal.repositories.filter(\.isWhole)) { $0.removeDirectories($1) }
        sync()
    }

    // MARK: - Steps

    private func inEach(_ repositories: [Repository], _ body: (RemovalRun, Repository) -> Void) {
        for repository in repositories where goesOn(in: repository.path) { body(self, repository) }
    }

    /// Whether there is more to do, in a repository or at all.
    func goesOn(in repository: RepositoryPath? = nil) -> Bool {
        outcome.wasStopped = outcome.wasStopped || isCancelled()
        return !outcome.wasStopped && repository.map { !failed.contains($0) } ?? true
    }

    /// Removes things one by one, and counts those that were there.
    ///
    /// - Parameters:
    ///   - items: the things.
    ///   - repository: the repository that they are in, of which the rest is left alone after a failure.
    ///   - subject: what each is.
    ///   - count: where they are counted.
    ///   - body: removes one; false where there is none.
    func remove<Item>(
        _ items: [Item],
        in repository: RepositoryPath?,
        _ subject: (Item) -> Subject,
        count: WritableKeyPath<RemovalOutcome, Int>? = nil,
        _ body: (Item) throws(DirectoryError) -> Bool
    ) {
        for item in items where goesOn(in: repository) {
            attempt(subject(item), in: repository) { () throws(DirectoryError) in
                try body(item)
            } then: { wasThere, outcome in
                if let count, wasThere { outcome[keyPath: count] += 1 }
            }
        }
    }

    /// Does one thing while nothing else changes the repository, and notes the failure.
    func attempt<Value: Sendable>(
        _ subject: Subject,
        in repository: RepositoryPath?,
        _ body: () throws(DirectoryError) -> Value,
        then: (Value, inout RemovalOutcome) -> Void = { _, _ in }
    ) {
        do throws(DirectoryError) {
            guard let repository else { return then(try body(), &outcome) }
            then(try tree.changing(repository, body), &outcome)
        } catch {
            outcome.failures.append(RemovalOutcome.Failure(subject: subject, repository: repository, error: error))
            if let repository { failed.insert(repository) }
        }
    }

    /// Lists what is in a repository; nothing, and a failure, where that cannot be done.
    func list<Item: Sendable>(
        in repository: RepositoryPath,
        _ body: () throws(DirectoryError) -> [Item]
    ) -> [Item] {
        var items: [Item] = []
        guard goesOn(in: repository) else { return items }
        attempt(.repository, in: repository, body) { listed, _ in items = listed }
        return items
    }

    private func sync() {
        let failureCount = outcome.failures.count
        attempt(.sync, in: nil) { () throws(DirectoryError) in
            try tree.syncFileSystem(of: tree.paths.repositories)
        }
        // What comes next must not be on disk before this.
        if outcome.failures.count > failureCount { outcome.wasStopped = true }
    }

    /// Refuses a repository of which a part is elsewhere.
    private func check(_ repository: Repository) {
        attempt(.repository, in: repository.path) { () throws(DirectoryError) in
            try tree.checkNoLink(in: repository.path)
        }
    }
}

// MARK: - Blobs

extension RemovalRun {
    private func removeBlobs(_ blobs: [Digest]) {
        guard outcome.failures.isEmpty else {
            outcome.hasKeptBlobs = !blobs.isEmpty
            return
        }
        var byteCount: Int64 = 0
        remove(blobs, in: nil, Subject.blob, count: \.blobCount) { digest throws(DirectoryError) in
            guard let count = try tree.removeContent(digest) else { return false }
            byteCount += count
            return true
        }
        outcome.freedByteCount = byteCount
        if goesOn() { tree.removeEmptyContents() }
    }
}
