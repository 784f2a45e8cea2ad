import ImageLayout
import RegistryClient
import Synchronization

/// Carries a push plan out.
struct PushReplay: Sendable {
    let plan: PushPlan
    let graph: ImageGraph
    let source: ReplaySource
    let client: RegistryClient
    let parallelism: Int
    let progress: ProgressHandler

    /// One step with a blob: it gets to its home first, then to the repositories that mount it.
    private enum BlobStep: Sendable {
        case home(PushPlan.Blob)
        case mount(Descriptor, from: Repository, to: Repository)
    }

    /// What could not be put, by repository: a blob or a manifest there.
    private struct Place: Hashable {
        let digest: Digest
        let repository: Repository
    }

    /// What has happened, gathered from all tasks.
    private final class Record: Sendable {
        private let places = Mutex<[Place: any Error]>([:])
        private let outcome = Mutex(Outcome())

        func note(_ error: any Error, _ digest: Digest, in repository: Repository) {
            places.withLock { $0[Place(digest: digest, repository: repository)] = error }
        }

        func note(_ blob: Descriptor, _ status: Report.BlobStatus, in repository: Repository, _ attempts: AttemptCount)
        {
            var entry = Report.Blob(blob, status, in: repository)
            entry.attempts = attempts.value == 0 ? nil : attempts.value
            entry.cause = error(blob.digest, in: repository).map { "\($0)" }
            if status == .uploaded { entry.movedByteCount = blob.size }
            outcome.withLock { [entry] in $0.records.note(entry) }
        }

        func error(_ digest: Digest, in repository: Repository) -> (any Error)? {
            places.withLock { $0[Place(digest: digest, repository: repository)] }
        }

        func count(_ change: (inout Outcome) -> Void) { outcome.withLock { change(&$0) } }

        var result: Outcome { outcome.withLock { $0 } }
    }

    /// What a replay did.
    struct Outcome: Sendable {
        /// The images that failed, by their name in the target, each with the first cause.
        var failures: [String: any Error] = [:]
        /// What became of each blob.
        var records = BlobRecords()
        /// How often each image's manifest was tried, by its name in the target.
        var attempts: [String: Int] = [:]
        /// How many blobs were uploaded.
        var uploadCount = 0
        /// The bytes of those.
        var uploadByteCount: Int64 = 0
        /// How many blobs were mounted.
        var mountCount = 0
    }

    /// Replays everything.
    ///
    /// - Throws: `CancellationError` alone.
    func run() async throws -> Outcome {
        let uploads = plan.uploads
        progress(
            .planned(blobCount: uploads.count, byteCount: uploads.reduce(0) { $0 + $1.descriptor.size })
        )
        let record = Record()
        try await moveBlobs(record)
        try await putChildren(record)
        try await putReferrers(record)
        try await putNames(record)
        // What was cut off is not the image's fault.
        try Task.checkCancellation()
        return record.result
    }

    // MARK: - Blobs

    private func moveBlobs(_ record: Record) async throws {
        let steps = plan.blobs.map(BlobStep.home)
        try await forEachBlobConcurrently(steps, parallelism: parallelism, byteCount: byteCount) { step in
            switch step {
            case .home(let blob): try await bringHome(blob, record)
            case .mount(let blob, let home, let repository):
                try await mount(blob, from: home, to: repository, record)
            }
        }
    }

    private func byteCount(_ step: BlobStep) -> Int64 {
        switch step {
        case .home(let blob): blob.needsUpload ? blob.descriptor.size : 0
        case .mount: 0
        }
    }

    private func bringHome(_ blob: PushPlan.Blob, _ record: Record) async throws -> [BlobStep] {
        let attempts = AttemptCount()
        do {
            if blob.needsUpload {
                try await attempts.counting { try await upload(blob.descriptor, to: blob.home, record) }
            }
            record.note(blob.descriptor, blob.needsUpload ? .uploaded : .present, in: blob.home, attempts)
        } catch let error as CancellationError {
            throw error
        } catch let error as RegistryError where error.concernsRepository {
            record.note(error, blob.descriptor.digest, in: blob.home)
            record.note(blob.descriptor, .failed, in: blob.home, attempts)
            // The next that needs the blob may take it.
            guard let home = blob.mounts.first else { return [] }
            let rest = Array(blob.mounts.dropFirst())
            return [.home(.init(descriptor: blob.descriptor, home: home, needsUpload: true, mounts: rest))]
        } catch {
            for repository in [blob.home] + blob.mounts {
                record.note(error, blob.descriptor.digest, in: repository)
                record.note(blob.descriptor, .failed, in: repository, attempts)
            }
            return []
        }
        return blob.mounts.map { .mount(blob.descriptor, from: blob.home, to: $0) }
    }

    private func mount(
        _ blob: Descriptor,
        from home: Repository,
        to repository: Repository,
        _ record: Record
    ) async throws -> [BlobStep] {
        let attempts = AttemptCount()
        do {
            let status = try await attempts.counting { () -> Report.BlobStatus in
                let fallback = try await openedSession(mounting: blob, from: home, to: repository, record)
                guard let fallback else { return .mounted }
                // The registry does not mount. It may have the blob all the same.
                guard try await !has(blob, in: repository, insteadOf: fallback) else { return .present }
                try await upload(blob, to: repository, session: fallback.session, record)
                return .uploaded
            }
            record.note(blob, status, in: repository, attempts)
        } catch let error as CancellationError {
            throw error
        } catch {
            record.note(error, blob.digest, in: repository)
            record.note(blob, .failed, in: repository, attempts)
        }
        return []
    }

    /// An upload to be made where a mount was not.
    private struct Fallback {
        /// What the registry opened instead of mounting; nil where it refused altogether.
        let session: UploadSession?
    }

    /// Asks whether a repository has a blob; unless it is to be uploaded, what was opened for that is cancelled.
    private func has(_ blob: Descriptor, in repository: Repository, insteadOf fallback: Fallback) async throws -> Bool {
        let isThere: Result<Bool, any Error>
        do {
            isThere = .success(try await client.hasBlob(blob, in: repository, for: .push))
        } catch {
            isThere = .failure(error)
        }
        if case .success(false) = isThere { return false }
        if let session = fallback.session { await client.giveUp(session, in: repository) }
        return try isThere.get()
    }

    /// Mounts a blob.
    ///
    /// - Returns: nil where the repository has the blob now.
    private func openedSession(
        mounting blob: Descriptor,
        from home: Repository,
        to repository: Repository,
        _ record: Record
    ) async throws -> Fallback? {
        do {
            let outcome = try await client.mountBlob(blob.digest, from: home, to: repository)
            if case .uploadOpened(let session) = outcome { return Fallback(session: session) }
            record.count { $0.mountCount += 1 }
            return nil
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            // Some registries refuse what they do not know, or the right to read the other repository.
            return Fallback(session: nil)
        }
    }

    private func upload(
        _ blob: Descriptor,
        to repository: Repository,
        session: UploadSession? = nil,
        _ record: Record
    ) async throws {
        progress(.blobStarted(blob.digest, byteCount: blob.size))
        do {
            try await source.put(blob, to: repository, session: session, client: client) {
                progress(.blobAdvanced(blob.digest, byteCount: $0))
            }
            progress(.blobFinished(blob.digest))
            record.count { outcome in
                outcome.uploadCount += 1
                outcome.uploadByteCount += blob.size
            }
        } catch {
            progress(.blobFailed(blob.digest))
            // Is it the bundle, or does the registry only not know the algorithm?
            if (error as? RegistryError)?.refusesDigest == true { try await source.verify(blob) }
            throw error
        }
    }

    // MARK: - Manifests

    /// One manifest that is put by its digest.
    private struct Child: Hashable {
        let digest: Digest
        let repository: Repository
    }

    private func putChildren(_ record: Record) async throws {
        let heights = graph.heights()
        var children: [Int: Set<Child>] = [:]
        let tops =
            plan.sent.map { ($0.image.descriptor.digest, $0.repository) }
            + plan.referrers.filter { !$0.isPresent }.map { ($0.descriptor.digest, $0.repository) }
        for (top, repository) in tops {
            for document in graph.documents(from: top).dropFirst() {
                let digest = document.descriptor.digest
                children[heights[digest] ?? 0, default: []].insert(Child(digest: digest, repository: repository))
            }
        }
        for level in children.keys.sorted() {
            try await forEachConcurrently(children[level] ?? [], limit: parallelism) { child in
                guard let document = graph.documents[child.digest] else { return [] }
                if let error = cause(of: document, in: child.repository, record) {
                    record.note(error, child.digest, in: child.repository)
                    return []
                }
                do {
                    try await client.putManifest(document, as: .digest(child.digest), in: child.repository)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    record.note(error, child.digest, in: child.repository)
                }
                return []
            }
        }
    }

    // MARK: - Referrers

    /// Where what refers to a manifest is listed.
    private struct ListKey: Hashable {
        let subject: Digest
        let repository: Repository
    }

    /// Puts what refers to the images, before these have their names, and sees to it that it is found.
    private func putReferrers(_ record: Record) async throws {
        let lists = Mutex<[ListKey: [PushPlan.Referrer]]>([:])
        @Sendable func list(_ referrer: PushPlan.Referrer) {
            let key = ListKey(subject: referrer.subject, repository: referrer.repository)
            lists.withLock { $0[key, default: []].append(referrer) }
        }
        try await putSubjects(record)
        let hasAPI = try await targetListsReferrers()
        try await forEachConcurrently(plan.referrers, limit: parallelism) { referrer in
            guard let document = graph.documents[referrer.descriptor.digest] else { return [] }
            try await noting([referrer], record) {
                let namesSubject = document.subject?.digest == referrer.subject
                // A tag is enough for what says nowhere else what it belongs to.
                let isNamed = referrer.hasName && !namesSubject
                var isListed = isNamed || (hasAPI && namesSubject)
                if !referrer.isPresent {
                    if let error = cause(of: document, in: referrer.repository, record) { throw error }
                    let isNoted = try await client.putManifest(document, as: referrer.target, in: referrer.repository)
                    isListed = isNamed || (isNoted && namesSubject)
                }
                if !isListed { list(referrer) }
            }
            return []
        }
        try await forEachConcurrently(lists.withLock { $0 }, limit: parallelism) { key, referrers in
            let sorted = referrers.sorted { $0.descriptor.digest < $1.descriptor.digest }
            try await noting(sorted, record) {
                let documents = sorted.compactMap { graph.documents[$0.descriptor.digest] }
                try await client.list(documents, of: key.subject, in: key.repository)
            }
            return []
        }
    }

    /// Puts the images to which something refers that is to be put, by their digests: some registries refuse what refers to
    /// nothing.
    private func putSubjects(_ record: Record) async throws {
        let needed = Set(plan.referrers.filter { !$0.isPresent }.flatMap(\.images))
        try await forEachConcurrently(plan.sent.filter { needed.contains($0.name) }, limit: parallelism) { image in
            let digest = image.image.descriptor.digest
            guard let document = graph.documents[digest], cause(of: document, in: image.repository, record) == nil
            else {
                return []
            }
            do {
                _ = try await client.putManifest(document, as: .digest(digest), in: image.repository)
            } catch let error as CancellationError {
                throw error
            } catch {
                record.count { $0.failures[image.name] = $0.failures[image.name] ?? error }
            }
            return []
        }
    }

    /// Whether the target has a Referrers API; it is asked only where something is there that may have to be listed.
    private func targetListsReferrers() async throws -> Bool {
        guard let sample = plan.referrers.first(where: \.isPresent) else { return false }
        do {
            return try await client.referrers(of: sample.subject, in: sample.repository) != nil
        } catch is RegistryError {
            // The list under a tag is right for both.
            return false
        }
    }

    /// Does something about referrers; what goes wrong is a failure of the images that they belong to.
    private func noting(
        _ referrers: [PushPlan.Referrer],
        _ record: Record,
        _ step: () async throws -> Void
    ) async throws {
        do {
            try await step()
        } catch let error as CancellationError {
            throw error
        } catch {
            record.count { outcome in
                for name in Set(referrers.flatMap(\.images)) {
                    outcome.failures[name] = outcome.failures[name] ?? error
                }
            }
        }
    }

    /// Why a document cannot be put: what failed directly beneath it.
    private func cause(of document: Document, in repository: Repository, _ record: Record) -> (any Error)? {
        let beneath = graph.blobs(of: document).map(\.digest) + document.children.map(\.digest)
        return beneath.lazy.compactMap { record.error($0, in: repository) }.first
    }

    private func putNames(_ record: Record) async throws {
        try await forEachConcurrently(plan.sent, limit: parallelism) { image in
            guard let document = graph.documents[image.image.descriptor.digest] else { return [] }
            let attempts = AttemptCount()
            defer { record.count { $0.attempts[image.name] = attempts.value } }
            do {
                if let error = cause(of: document, in: image.repository, record) { throw error }
                // Whoever looks for its signature is not to find it without.
                if let error = record.result.failures[image.name] { throw error }
                _ = try await attempts.counting {
                    try await client.putManifest(document, as: image.target, in: image.repository)
                }
                progress(.imageFinished(name: image.name))
            } catch let error as CancellationError {
                throw error
            } catch {
                record.count { $0.failures[image.name] = error }
                progress(.imageFailed(name: image.name, message: "\(error)"))
            }
            return []
        }
    }
}
